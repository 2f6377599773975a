package jsonl_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hotpath/abtest/exposure"
	"hotpath/abtest/exposure/jsonl"
)

// put writes a file of a given hour.
func put(t *testing.T, dir, hour string, text []byte) string {
	t.Helper()
	name := filepath.Join(dir, "exposures-20260101T"+hour+"0000.000000000Z.jsonl")
	if bytes.HasPrefix(text, []byte{0x1f, 0x8b}) {
		name += ".gz"
	}
	if err := os.WriteFile(name, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

func packed(t *testing.T, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(text)
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWhateverIsInTheFiles(t *testing.T) {
	dir := t.TempDir()
	mixed := lines(0, 2)
	mixed = append(mixed, "\n  \r\ngarbage\n{\"schema\":9}\n{\"schema\":1,\"type\":\"heartbeat\",\"a\":{}}\n"...)
	mixed = exposure.AppendFeedback(mixed, &exposure.Feedback{Outcome: []byte("click"), Value: 1})
	// Sound, and longer than a line may be; and one that is only longer than the buffer.
	mixed = append(mixed, bytes.Replace(lines(1, 2), []byte(`"model"`), []byte(`"later":"`+strings.Repeat("y", 2<<20)+`","model"`), 1)...)
	long := bytes.Replace(lines(2, 3), []byte(`"model"`), []byte(`"later":"`+strings.Repeat("y", 900<<10)+`","model"`), 1)
	put(t, dir, "00", append(append(mixed, long...), lines(3, 4)...))
	put(t, dir, "01", packed(t, lines(4, 1000)))
	put(t, dir, "02", packed(t, lines(1000, 1010))[:100])                      // cut off by a crash
	put(t, dir, "03", append([]byte{0x1f, 0x8b}, "nothing like it at all"...)) // overwritten
	put(t, dir, "04", append(lines(2000, 2005), lines(9, 10)[:50]...))
	put(t, dir, "05", nil)

	var h heard
	r, err := jsonl.ReadFiles(t.Context(), []string{dir}, 0, &h)
	if err != nil {
		t.Fatal(err)
	}
	if r.Files != 6 || r.Exposures < 1005 || r.Feedback != 1 || r.Unknown != 2 || r.Malformed != 2 || r.Torn != 3 || r.Truncated {
		t.Errorf("%+v", r)
	}
	if h.units[0] != "0" || h.units[2] != "2" || h.units[len(h.units)-1] != "2004" || h.outcomes[0] != "click" {
		t.Errorf("heard %v, %v", h.units, h.outcomes)
	}
}

func TestTheNewestBytes(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "00", packed(t, lines(0, 100)))
	middle, last := lines(100, 200), lines(200, 300)
	put(t, dir, "01", middle)
	put(t, dir, "02", last)
	line := len(lines(200, 201))
	for _, c := range []struct {
		name      string
		limit     int
		from      int
		truncated bool
	}{
		{"everything", 1 << 30, 0, false},
		{"all but the compressed one", len(last) + len(middle) + 10, 100, true},
		{"exactly the last", len(last), 200, true},
		{"and a whole line before", len(last) + line, 199, true},
		{"and less than a line before", len(last) + line - 1, 200, true},
		{"half of the last", 50 * line, 250, true},
		{"nothing", 1, 300, true},
	} {
		got, r := read(t, int64(c.limit), dir)
		wantRange(t, got, c.from, 300)
		if r.Truncated != c.truncated || int(r.Bytes) > c.limit+1 || r.Malformed+r.Torn != 0 {
			t.Errorf("%s: %+v", c.name, r)
		}
	}
}

func TestNamedFilesInTheirOrder(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "b.txt"), filepath.Join(dir, "a.json.gz")
	for name, text := range map[string][]byte{a: lines(0, 10), b: packed(t, lines(10, 20))} {
		if err := os.WriteFile(name, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, r := read(t, 0, a, b, t.TempDir())
	wantRange(t, got, 0, 20)
	if r.Files != 2 {
		t.Errorf("%+v", r)
	}
	if _, err := jsonl.ReadFiles(t.Context(), []string{a, filepath.Join(dir, "missing")}, 0, &heard{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestReadingIsGivenUp(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "00", lines(0, 5000))
	ctx, cancel := context.WithCancel(t.Context())
	h := heard{cancel: cancel}
	if _, err := jsonl.ReadFiles(ctx, []string{dir}, 0, &h); !errors.Is(err, context.Canceled) || len(h.units) > 2000 {
		t.Errorf("%v after %d records", err, len(h.units))
	}
}

// TestReadingBesideTheWriter sees whole records only, while files are ended,
// compressed and removed.
func TestReadingBesideTheWriter(t *testing.T) {
	dir := t.TempDir()
	s := open(t, jsonl.Options{Dir: dir, MaxBytes: 5000, Keep: 5, Compress: true})
	write(t, s, lines(0, 1))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 1; i < 600; i++ {
			if err := s.Write(lines(i, i+1)); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
		}
		if _, r := read(t, 0, dir); r.Malformed != 0 || r.Unknown != 0 {
			t.Errorf("%+v", r)
		}
	}
	end(t, s)
	got, _ := read(t, 0, dir)
	wantRange(t, got, 600-len(got), 600)
}
