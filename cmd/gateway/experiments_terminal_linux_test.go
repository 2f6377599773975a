package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"hotpath/cmd/gateway/internal/experiments"
)

// terminal is a real one: what is typed, and the side that a program reads.
func terminal(t *testing.T) (keyboard io.Writer, program *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return master, program
}

// typed runs the program on a terminal at which somebody types.
func typed(t *testing.T, environ []string, keys string, args ...string) result {
	t.Helper()
	keyboard, program := terminal(t)
	if _, err := io.WriteString(keyboard, keys); err != nil {
		t.Fatal(err)
	}
	var out, stderr bytes.Buffer
	code := run(context.Background(), args, environ, program, &out, &stderr)
	return result{code, out.String(), stderr.String()}
}

func TestApplyAsksOnATerminal(t *testing.T) {
	addr, dir := adminPort(t)
	file := filepath.Join(dir, "experiments.yaml")
	before := contentOf(t, file)
	mine := writeFile(t, t.TempDir(), "mine.yaml", before+"# mine\n")
	apply := []string{"experiments", "apply", mine, "--admin", addr}
	typed(t, nil, "n\n", apply...).wants(t, 1, "+# mine\n", "Make this serve? [y/N] gateway: nothing was changed\n")
	typed(t, nil, "\n", apply...).wants(t, 1, "+# mine\n", "gateway: nothing was changed\n")
	if contentOf(t, file) != before {
		t.Error("the file has changed")
	}
	typed(t, nil, "y\n", apply...).wants(t, 0, "revision 2 serves", "Make this serve? [y/N] ")
	if contentOf(t, file) != before+"# mine\n" {
		t.Error("the file has not changed")
	}
}

func TestEditOpensAnEditor(t *testing.T) {
	addr, dir := adminPort(t)
	file := filepath.Join(dir, "experiments.yaml")
	before := contentOf(t, file)
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	edit := func(editor, keys string) result {
		t.Helper()
		return typed(t, []string{"EDITOR=false", "VISUAL=" + editor, "PATH=" + os.Getenv("PATH")}, keys, "experiments", "edit", "--admin", addr)
	}
	left := func() (files []string) {
		files, err := filepath.Glob(filepath.Join(tmp, "experiments-*.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	edit("true", "").wants(t, 0, "nothing was changed\n", "")
	edit("sed -i 's/state: running/state: stopped/'", "y\n").wants(t, 0, "revision 2 serves", "")
	if files := left(); len(files) != 0 || contentOf(t, file) != strings.Replace(before, "state: running", "state: stopped", 1) {
		t.Errorf("%v are left, and the file is\n%s", files, contentOf(t, file))
	}

	// What fails keeps the text, says where, and how to go on from there.
	for _, c := range []struct{ editor, keys, stderr string }{
		{"sed -i 's/weight: 50, version: 1/weight: 40, version: 1/'", "", ": experiments[0].variants: weights add up to 90.00"},
		{"sed -i 's/state: stopped/state: running/'", "n\n", "nothing was changed"},
		{"exit 3 #", "", "exit status 3"},
	} {
		got := edit(c.editor, c.keys)
		files := left()
		if len(files) != 1 {
			t.Fatalf("%v", files)
		}
		got.wants(t, 1, "", c.stderr)
		got.wants(t, 1, "", "the text is kept: gateway experiments apply "+files[0]+" --if-match '"+experiments.ETag([]byte(contentOf(t, file)))+"'")
		if err := os.Remove(files[0]); err != nil {
			t.Fatal(err)
		}
	}
}
