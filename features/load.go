package features

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/redis/rueidis"

	"hotpath/models"
)

// loadPipeline is the number of HSETs sent together.
const loadPipeline = 500

// LoadReport is what a load wrote.
type LoadReport struct {
	Rows     int            // lines of the file
	Values   int            // cells that were not empty
	Entities map[string]int // rows by entity
	Took     time.Duration
}

// loadPatience is how long a load waits for a connection or an answer at least.
const loadPatience = 5 * time.Second

// Load writes a CSV file with the header entity,id,<feature>... to the store
// that the options name. An empty cell is an absent value. progress, if not
// nil, hears the rows written so far and the rows of the file (-1 when r cannot
// be rewound to count them).
//
// It stops at the first invalid line, which the error names with its column;
// the rows before it are written. Loading a file again is harmless.
func Load(ctx context.Context, o Options, schema *Schema, r io.Reader, progress func(done, total int)) (LoadReport, error) {
	// No request waits for a load: it is not given up for a pause of the machine.
	o.DialTimeout, o.WriteTimeout = max(o.DialTimeout, loadPatience), max(o.WriteTimeout, loadPatience)
	w, err := OpenWriter(o, schema)
	if err != nil {
		return LoadReport{}, err
	}
	defer w.Close()
	return w.Load(ctx, r, progress)
}

// Load is the function of the same name on an open writer.
func (w *Writer) Load(ctx context.Context, r io.Reader, progress func(done, total int)) (LoadReport, error) {
	total, err := countRows(r)
	if err != nil {
		return LoadReport{}, err
	}
	l := loader{w: w, in: csv.NewReader(r), total: total, progress: progress, report: LoadReport{Entities: map[string]int{}}}
	start := time.Now()
	err = l.run(ctx)
	l.report.Took = time.Since(start)
	return l.report, err
}

// countRows counts the data rows of a file that can be rewound; -1 for others.
func countRows(r io.Reader) (int, error) {
	seeker, can := r.(io.ReadSeeker)
	if !can {
		return -1, nil
	}
	// A pipe is a file and has the method, but cannot do it.
	if _, err := seeker.Seek(0, io.SeekCurrent); err != nil {
		return -1, nil
	}
	in := csv.NewReader(seeker)
	in.ReuseRecord, in.FieldsPerRecord = true, -1
	n := -1 // the header
	for {
		_, err := in.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return 0, err
		}
		n++
	}
	_, err := seeker.Seek(0, io.SeekStart)
	return max(n, 0), err
}

// loader is one run of Load.
type loader struct {
	w        *Writer
	in       *csv.Reader
	header   []string
	columns  map[string]int
	total    int
	progress func(done, total int)
	cmds     []rueidis.Completed
	pending  LoadReport // of cmds
	report   LoadReport
}

func (l *loader) run(ctx context.Context) error {
	header, err := l.in.Read()
	if err != nil {
		return fmt.Errorf("line 1: no header entity,id,<feature>...: %w", err)
	}
	if err := l.readHeader(header); err != nil {
		return err
	}
	l.in.ReuseRecord = true
	for {
		record, err := l.in.Read()
		if err == io.EOF {
			return l.flush(ctx)
		}
		if err == nil {
			err = l.row(record)
		}
		if err != nil {
			return errors.Join(err, l.flush(ctx))
		}
		if len(l.cmds) == loadPipeline {
			if err := l.flush(ctx); err != nil {
				return err
			}
		}
	}
}

func (l *loader) readHeader(header []string) error {
	if len(header) < 3 || header[0] != "entity" || header[1] != "id" {
		return fmt.Errorf("line 1: the header must be entity,id,<feature>..., not %.80q", header)
	}
	l.header, l.columns = header, map[string]int{}
	for i, name := range header {
		if _, twice := l.columns[name]; twice {
			line, column := l.in.FieldPos(i)
			return fmt.Errorf("line %d, column %d: %s is there twice", line, column, name)
		}
		l.columns[name] = i
	}
	return nil
}

func (l *loader) row(record []string) error {
	entity, id := record[0], record[1]
	cmd, n, err := l.w.command(entity, id, l.header[2:], func(name string) string { return record[l.columns[name]] })
	if err != nil {
		var field *models.FieldError
		at := 0
		if errors.As(err, &field) {
			at = l.columns[field.Field]
		}
		line, column := l.in.FieldPos(at)
		return fmt.Errorf("line %d, column %d: %w", line, column, err)
	}
	l.cmds = append(l.cmds, cmd)
	l.pending.Rows++
	l.pending.Values += n
	l.report.Entities[entity]++
	return nil
}

// flush writes what is pending. The commands' memory is not used again: the
// client recycles it.
func (l *loader) flush(ctx context.Context) error {
	if len(l.cmds) == 0 {
		return nil
	}
	if err := l.w.doAll(ctx, l.cmds); err != nil {
		return fmt.Errorf("after %d rows: %w", l.report.Rows, err)
	}
	l.report.Rows += l.pending.Rows
	l.report.Values += l.pending.Values
	l.cmds, l.pending = nil, LoadReport{}
	if l.progress != nil {
		l.progress(l.report.Rows, l.total)
	}
	return nil
}
