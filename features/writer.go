package features

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"hotpath/models"
	"hotpath/resilience/redislink"
)

// Writer writes features. It is for tools and for seeding: it has a connection
// of its own, and waits where a request would not.
type Writer struct {
	schema *Schema
	link   *redislink.Link
	client rueidis.Client
}

// OpenWriter connects, or says within the dial timeout why it cannot. The
// caller closes the writer.
func OpenWriter(o Options, schema *Schema) (*Writer, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	link, err := redislink.Connect(o.link())
	if err != nil {
		return nil, fmt.Errorf("feature store at %v: %w", o.Addresses, err)
	}
	return &Writer{schema: schema, link: link, client: link.Client()}, nil
}

// Close ends the connection.
func (w *Writer) Close() { w.link.Close() }

// Set writes features of one entity, given as the store holds them (a feature
// of several elements as a JSON array), and its timestamp. Fields not named keep
// their value. The first invalid value is a *models.FieldError, and nothing is
// written.
func (w *Writer) Set(ctx context.Context, entity, id string, values map[string]string) error {
	cmd, _, err := w.command(entity, id, sortedKeys(values), func(name string) string { return values[name] })
	if err != nil {
		return err
	}
	return w.client.Do(ctx, cmd).Error()
}

// command makes the HSET of one entity. Empty values are left out; n is the
// number of those that are not.
func (w *Writer) command(entity, id string, names []string, value func(string) string) (cmd rueidis.Completed, n int, err error) {
	e := w.schema.entities[entity]
	if e == nil {
		return cmd, 0, &models.FieldError{Field: "entity",
			Message: fmt.Sprintf("the schema has no entity %q%s", entity, meant(entity, w.schema.Entities()))}
	}
	if id == "" {
		return cmd, 0, &models.FieldError{Field: "id", Message: "is empty"}
	}
	fields := []string{e.timestamp, strconv.FormatInt(time.Now().UnixMilli(), 10)}
	for _, name := range names {
		text := value(name)
		if text == "" {
			continue
		}
		f := e.features[name]
		if f == nil {
			return cmd, 0, &models.FieldError{Field: name,
				Message: "entity " + entity + " has no such feature" + meant(name, e.sortedFeatures)}
		}
		if v := f.check(text); v != ok {
			return cmd, 0, &models.FieldError{Field: name,
				Message: fmt.Sprintf("%.40q is not %s", text, f.describe())}
		}
		fields = append(fields, name, text)
		n++
	}
	hset := w.client.B().Hset().Key(e.prefix + id + e.suffix).FieldValue()
	for i := 0; i < len(fields); i += 2 {
		hset = hset.FieldValue(fields[i], fields[i+1])
	}
	return hset.Build(), n, nil
}

// check says whether a text is a value of the feature. The tensor that it will
// fill can be narrower than the type: that shows when it is read.
func (f *feature) check(text string) verdict {
	if f.width == 1 {
		if f.kind.valid([]byte(text)) {
			return ok
		}
		return badSyntax
	}
	s := slot{kind: f.kind, dtype: f.kind.widest(), width: f.width, shape: []int{f.width}}
	s.size = max(1, s.dtype.Size())
	row := models.NewLayout([]models.Port{{Name: f.name, DType: s.dtype, Shape: s.shape}}).NewRow()
	v, _ := s.putArray(&row, []byte(text), fromStore)
	return v
}

// describe names what a value must be.
func (f *feature) describe() string {
	if f.width > 1 {
		return "a JSON array of " + strconv.Itoa(f.width) + " " + f.kind.String() + " elements"
	}
	return "a valid " + f.kind.String()
}

// widest is the tensor type that takes every value of the kind.
func (k kind) widest() models.DType {
	return [numKinds]models.DType{models.Float64, models.Int64, models.Bool, models.String}[k]
}

// doAll runs commands as one pipeline and joins what went wrong.
func (w *Writer) doAll(ctx context.Context, cmds []rueidis.Completed) error {
	var errs []error
	for _, r := range w.client.DoMulti(ctx, cmds...) {
		if err := r.Error(); err != nil {
			errs = append(errs, err)
			break // the rest of a pipeline fails for the same reason
		}
	}
	return errors.Join(errs...)
}
