package experiments

import "hotpath/models/strictyaml"

// Document is the file as it lies on the disk, valid or not.
type Document struct {
	Text []byte
	ETag string
	// Revision is the newest one with this content; 0: it never served.
	Revision int
	// ReadOnly is why it cannot be saved; nil when it can.
	ReadOnly error
	// Stored says that the history and the holds outlast the process.
	Stored bool
}

// Document reads the file.
func (k *Keeper) Document() (*Document, error) {
	if k.o.File == "" {
		return nil, k.noFile()
	}
	text, err := strictyaml.ReadFile(k.o.File)
	if err != nil {
		return nil, errorf(CodeStorage, "the experiments file cannot be read: %w", err)
	}
	d := &Document{Text: text, ETag: ETag(text), Stored: k.history.stored()}
	if last, ok := k.history.last(); ok && last.ETag == d.ETag {
		d.Revision = last.Number
	}
	_, d.ReadOnly = writable(k.o.File)
	return d, nil
}

// History lists the revisions, the newest first.
func (k *Keeper) History() []Revision { return k.history.list() }

// RevisionText is a revision with its content.
type RevisionText struct {
	Revision
	Text string `json:"text"`
	// Diff is against the revision before, in the unified form.
	Diff string `json:"diff"`
}

// Revision finds a revision of the history.
func (k *Keeper) Revision(number int) (*RevisionText, error) {
	r, text, before, err := k.history.get(number)
	if err != nil {
		return nil, err
	}
	lines := diffLines(before, text)
	return &RevisionText{r, string(text), lines.unified("revision "+itoa(number-1), "revision "+itoa(number))}, nil
}
