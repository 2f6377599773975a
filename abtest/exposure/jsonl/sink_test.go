package jsonl_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hotpath/abtest/exposure/jsonl"
)

func TestRotationBySize(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "by it")
	s := open(t, jsonl.Options{Dir: dir, MaxBytes: 2000, Keep: 4})
	const batches = 40
	for i := range batches {
		write(t, s, lines(2*i, 2*i+2)) // about 600 bytes: three of them fit
	}
	end(t, s)
	names := files(t, dir)
	if len(names) != 4 {
		t.Errorf("there are %d files", len(names))
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > 2000 || !bytes.HasSuffix(text, []byte("}\n")) {
			t.Errorf("%s has %d bytes and ends with %q", name, len(text), text[len(text)-2:])
		}
	}
	got, r := read(t, 0, dir)
	if len(got) < 18 || len(got) > 24 {
		t.Errorf("%d records are kept", len(got))
	}
	wantRange(t, got, 2*batches-len(got), 2*batches)
	if r.Files != 4 || r.Malformed+r.Torn+r.Unknown != 0 || r.Truncated {
		t.Errorf("%+v", r)
	}
}

func TestABatchLongerThanAFileHasOneForItself(t *testing.T) {
	dir := t.TempDir()
	s := open(t, jsonl.Options{Dir: dir, MaxBytes: 100})
	for i := range 3 {
		write(t, s, lines(i, i+1))
	}
	end(t, s)
	if n := len(files(t, dir)); n != 3 {
		t.Errorf("there are %d files", n)
	}
	got, _ := read(t, 0, dir)
	wantRange(t, got, 0, 3)
}

func TestRotationByAge(t *testing.T) {
	dir := t.TempDir()
	s := open(t, jsonl.Options{Dir: dir, MaxAge: 50 * time.Millisecond})
	write(t, s, lines(0, 1))
	write(t, s, lines(1, 2))
	time.Sleep(60 * time.Millisecond)
	write(t, s, lines(2, 3))
	end(t, s)
	time.Sleep(60 * time.Millisecond)
	s = open(t, jsonl.Options{Dir: dir, MaxAge: 50 * time.Millisecond})
	write(t, s, lines(3, 4))
	end(t, s)
	if n := len(files(t, dir)); n != 3 {
		t.Errorf("there are %d files", n)
	}
	got, _ := read(t, 0, dir)
	wantRange(t, got, 0, 4)
}

func TestWholeFilesAreCompressed(t *testing.T) {
	dir := t.TempDir()
	s := open(t, jsonl.Options{Dir: dir, MaxBytes: 20_000, Keep: 50, Compress: true})
	for i := range 40 {
		write(t, s, lines(10*i, 10*i+10))
		time.Sleep(time.Millisecond)
	}
	end(t, s)
	// The file that was ended last is compressed when the next one begins.
	s = open(t, jsonl.Options{Dir: dir, MaxBytes: 1, Keep: 50, Compress: true})
	write(t, s, lines(400, 401))
	end(t, s)
	packed := 0
	for _, name := range files(t, dir) {
		if strings.HasSuffix(name, ".jsonl.gz") {
			packed++
		} else if !strings.HasSuffix(name, ".jsonl") {
			t.Errorf("%s is left", name)
		}
	}
	if n := len(files(t, dir)); packed != n-1 {
		t.Errorf("%d of %d files are compressed", packed, n)
	}
	got, r := read(t, 0, dir)
	wantRange(t, got, 0, 401)
	if r.Bytes > 60_000 {
		t.Errorf("%d bytes of %d", r.Bytes, len(lines(0, 401)))
	}
}

// TestRestarts: each process goes on where the last one stopped, also within a line.
func TestRestarts(t *testing.T) {
	dir := t.TempDir()
	for i := range 20 {
		s := open(t, jsonl.Options{Dir: dir, Keep: 2})
		write(t, s, lines(3*i, 3*i+3))
		if i%2 == 0 {
			end(t, s)
			continue
		}
		// Killed: the file stays as it is, and has half a line more.
		end(t, s)
		name := files(t, dir)[0]
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(`{"schema":1,"type":"expos`); err != nil {
			t.Fatal(err)
		}
		f.Close()
		if i == 1 {
			if _, r := read(t, 0, dir); r.Torn != 1 || r.Malformed != 0 {
				t.Errorf("%+v", r)
			}
		}
	}
	got, r := read(t, 0, dir)
	wantRange(t, got, 0, 60)
	if r.Files != 1 || r.Malformed != 0 || r.Torn != 1 {
		t.Errorf("%+v", r)
	}
}

// TestAFileThatIsOnlyHalfALine is one that the disk had no room for.
func TestAFileThatIsOnlyHalfALine(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "exposures-20260101T000000.000000000Z.jsonl")
	if err := os.WriteFile(name, []byte(`{"schema":1,`), 0o644); err != nil {
		t.Fatal(err)
	}
	s := open(t, jsonl.Options{Dir: dir, MaxAge: 1 << 60})
	write(t, s, lines(0, 2))
	end(t, s)
	got, r := read(t, 0, dir)
	wantRange(t, got, 0, 2)
	if r.Files != 1 || r.Torn != 0 {
		t.Errorf("%+v", r)
	}
}

// TestAnIdleGatewaysFileKeepsNoOthers: the file of a gateway that has nothing to write
// gets old. Those after it are removed all the same.
func TestAnIdleGatewaysFileKeepsNoOthers(t *testing.T) {
	dir := t.TempDir()
	idle := open(t, jsonl.Options{Dir: dir})
	write(t, idle, lines(0, 1))
	s := open(t, jsonl.Options{Dir: dir, MaxBytes: 1, Keep: 3})
	for i := range 10 {
		write(t, s, lines(i+1, i+2))
	}
	if n := len(files(t, dir)); n != 3 {
		t.Errorf("%d files are kept, not 3", n)
	}
	end(t, s)
	end(t, idle)
	got, _ := read(t, 0, dir)
	if !slices.Equal(got, []int{0, 9, 10}) {
		t.Errorf("the records %d are left", got)
	}
}

// TestTwoGatewaysInOneDirectory do not write into each other's file, nor remove it.
func TestTwoGatewaysInOneDirectory(t *testing.T) {
	dir := t.TempDir()
	a, b := open(t, jsonl.Options{Dir: dir, MaxBytes: 1000, Keep: 2}), open(t, jsonl.Options{Dir: dir, MaxBytes: 1000, Keep: 2, Compress: true})
	write(t, a, lines(0, 1))
	for i := range 20 {
		write(t, b, lines(100+i, 101+i))
	}
	write(t, a, lines(1, 2))
	end(t, a)
	end(t, b)
	got, _ := read(t, 0, dir)
	if len(got) < 2 || got[0] != 0 || got[1] != 1 || got[len(got)-1] != 119 {
		t.Errorf("there are %d", got)
	}
}

func TestAClockThatIsPutBackKeepsTheOrder(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "exposures-20990101T000000.000000000Z.jsonl")
	if err := os.WriteFile(name, lines(0, 3), 0o644); err != nil {
		t.Fatal(err)
	}
	s := open(t, jsonl.Options{Dir: dir, MaxBytes: 500})
	for i := range 5 {
		write(t, s, lines(3+i, 4+i))
	}
	end(t, s)
	got, _ := read(t, 0, dir)
	wantRange(t, got, 0, 8)
}

func TestFilesOfOthersAreLeftAlone(t *testing.T) {
	dir := t.TempDir()
	others := []string{"notes.jsonl", "exposures-.jsonl", "exposures-20260101T000000.000000000Z.jsonl.bak", "exposures-2026.jsonl"}
	for _, name := range others {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "exposures-20260101T000000.000000000Z.jsonl"), 0o755); err != nil {
		t.Fatal(err)
	}
	s := open(t, jsonl.Options{Dir: dir, MaxBytes: 1, Keep: 2})
	for i := range 6 {
		write(t, s, lines(i, i+1))
	}
	end(t, s)
	if n := len(files(t, dir)); n != len(others)+1+2 {
		t.Errorf("there are %v", files(t, dir))
	}
	got, r := read(t, 0, dir)
	wantRange(t, got, 4, 6)
	if r.Files != 2 {
		t.Errorf("%+v", r)
	}
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	_, err := jsonl.Open(jsonl.Options{MaxBytes: -1, MaxAge: -1, Keep: -1})
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{"Dir is empty", "MaxBytes is -1", "MaxAge is -1ns", "Keep is -1"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
}
