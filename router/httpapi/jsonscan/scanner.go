package jsonscan

import (
	"hash/maphash"
	"unicode/utf8"
)

// Options of a Scanner.
type Options struct {
	// Depth is how many objects and arrays may be open at once.
	Depth int
	// Path names the member of that name in what is being read, or with nil the
	// whole of it, for errors.
	Path func(key []byte) string
	// NaNHint ends the message about a number that JSON cannot write.
	NaNHint string
}

// Scanner reads one body at a time. Its user drives it: it keeps the place, as an
// index into Body, and hands it to each method.
type Scanner struct {
	Body []byte
	// Arena holds the strings that had escapes; what was given out stays where it
	// is when it grows.
	Arena []byte
	// ObjectAt is where the last object inside a value began.
	ObjectAt int

	options Options
	names   nameSet
}

// New makes a Scanner.
func New(o Options) Scanner {
	return Scanner{options: o, names: nameSet{seed: maphash.MakeSeed()}}
}

// Begin takes a body, and memory for strings that it may grow.
func (s *Scanner) Begin(body, arena []byte) { s.Body, s.Arena = body, arena[:0] }

// End lets go of the body, also after an error.
func (s *Scanner) End() {
	s.Body, s.Arena = nil, nil
	s.names.end()
}

// Start checks what concerns all of the body and finds the value in it.
func (s *Scanner) Start() (int, *Error) {
	b := s.Body
	if len(b) >= 3 && b[0] == 0xef && b[1] == 0xbb && b[2] == 0xbf {
		return 0, s.Malformed(0, "the body begins with a byte order mark: send UTF-8 without one")
	}
	if !utf8.Valid(b) {
		at := 0
		for r, n := utf8.DecodeRune(b); r != utf8.RuneError || n != 1; r, n = utf8.DecodeRune(b[at:]) {
			at += n
		}
		return 0, s.Malformed(at, "the body is not valid UTF-8")
	}
	i := SkipSpace(b, 0)
	if i >= len(b) {
		return i, s.Syntax(i, "a JSON object")
	}
	return i, nil
}

// Finish refuses whatever follows the value.
func (s *Scanner) Finish(i int) *Error {
	if i = SkipSpace(s.Body, i); i < len(s.Body) {
		return s.Syntax(i, "nothing after the JSON object")
	}
	return nil
}

// OpenNames begins an object of which each name may be there once.
func (s *Scanner) OpenNames() Names { return s.names.open() }

// AddName notes a name of the innermost object; false when it has it already.
func (s *Scanner) AddName(n *Names, name []byte) bool { return s.names.add(n, name) }

// CloseNames ends the innermost object.
func (s *Scanner) CloseNames(n *Names) { s.names.close(n) }
