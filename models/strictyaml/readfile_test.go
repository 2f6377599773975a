package strictyaml

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What is no regular file must be refused at once: a reload that waits for a pipe
// or swallows a device takes the gateway with it.
func TestOnlyRegularFilesAreRead(t *testing.T) {
	dir := t.TempDir()
	pipe, big, good := filepath.Join(dir, "pipe"), filepath.Join(dir, "big"), filepath.Join(dir, "good")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{big: make([]byte, MaxBytes+1), good: []byte("a: 1\n")} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{pipe: "not a regular file", "/dev/zero": "not a regular file", big: "over the limit", dir: "not a regular file"} {
		done := make(chan error, 1)
		go func() {
			_, err := ReadFile(name)
			done <- err
		}()
		select {
		case err := <-done:
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", name, err, want)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("%s: still reading", name)
		}
	}
	if data, err := ReadFile(good); err != nil || string(data) != "a: 1\n" {
		t.Errorf("%q %v", data, err)
	}
}
