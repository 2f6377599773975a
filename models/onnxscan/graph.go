package onnxscan

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"
)

// maxName bounds the names that are kept or shown.
const maxName = 4096

func text(f field, at string) (string, error) {
	b, err := f.message(at)
	switch {
	case err != nil:
		return "", err
	case len(b) > maxName:
		return "", fmt.Errorf("%w: %s: name of %d bytes, at most %d are allowed", ErrLimit, at, len(b), maxName)
	case !utf8.Valid(b):
		return "", malformed(at, errors.New("a name is not UTF-8"))
	}
	return string(b), nil
}

// part is how one field of a message is read; one table per message.
type part func(f field, at string) error

// walk applies the parts to the fields of b and skips the fields without one.
func walk(b []byte, at string, parts map[int]part) error {
	return eachField(b, at, func(f field) error {
		if p := parts[int(f.num)]; p != nil {
			return p(f, at)
		}
		return nil
	})
}

// sub makes a part of a function that reads a nested message.
func sub(name string, read func(b []byte, at string) error) part {
	return func(f field, at string) error {
		b, err := f.message(at)
		if err != nil {
			return err
		}
		return read(b, at+"/"+name)
	}
}

// model reads a ModelProto.
func (s *scanner) model(b []byte) error {
	version := ""
	err := walk(b, "model", map[int]part{
		1: func(f field, at string) (err error) { s.sum.IRVersion, err = f.number(at); return err },
		2: func(f field, at string) (err error) { s.sum.Producer, err = text(f, at); return err },
		3: func(f field, at string) (err error) { version, err = text(f, at); return err },
		8: sub("opset_import", func(b []byte, at string) error {
			o, err := opset(b, at)
			s.sum.Opsets = append(s.sum.Opsets, o)
			return err
		}),
		7: sub("graph", func(b []byte, at string) error {
			s.graphs++
			return s.graph(b, at, 0)
		}),
		20: sub("training_info", func(b []byte, at string) error {
			graph := sub("graph", func(b []byte, at string) error { return s.graph(b, at, 1) })
			return walk(b, at, map[int]part{1: graph, 2: graph})
		}),
		25: sub("function", s.function),
	})
	if version != "" {
		s.sum.Producer += " " + version
	}
	return err
}

func opset(b []byte, at string) (o Opset, err error) {
	err = walk(b, at, map[int]part{
		1: func(f field, at string) (err error) { o.Domain, err = text(f, at); return err },
		2: func(f field, at string) (err error) { o.Version, err = f.number(at); return err },
	})
	return o, err
}

// graph reads a GraphProto. Depth 0 is the model's own.
func (s *scanner) graph(b []byte, at string, depth int) error {
	if depth > s.limits.MaxDepth {
		return fmt.Errorf("%w: %s: graphs nested deeper than %d", ErrLimit, at, s.limits.MaxDepth)
	}
	port := func(to *[]Value) part {
		return sub("value", func(b []byte, at string) error {
			v, err := s.value(b, at)
			if depth == 0 {
				*to = append(*to, v)
			}
			return err
		})
	}
	return walk(b, at, map[int]part{
		1: sub("node", func(b []byte, at string) error { return s.node(b, at, depth) }),
		5: sub("initializer", func(b []byte, at string) error {
			name, err := tensor(b, at)
			if depth == 0 {
				s.initializers[name] = true
			}
			return err
		}),
		15: sub("sparse_initializer", sparse),
		11: port(&s.sum.Inputs),
		12: port(&s.sum.Outputs),
	})
}

// function reads a FunctionProto: an operator that the model itself defines.
func (s *scanner) function(b []byte, at string) error {
	var op operator
	err := walk(b, at, map[int]part{
		1:  func(f field, at string) (err error) { op.name, err = text(f, at); return err },
		10: func(f field, at string) (err error) { op.domain, err = text(f, at); return err },
		7:  sub("node", func(b []byte, at string) error { return s.node(b, at, 1) }),
		11: sub("attribute", func(b []byte, at string) error { return s.attribute(b, at, 1) }),
	})
	s.functions[op] = true
	return err
}

// node reads a NodeProto.
func (s *scanner) node(b []byte, at string, depth int) error {
	if s.sum.Nodes++; s.sum.Nodes > s.limits.MaxNodes {
		return fmt.Errorf("%w: more than %d nodes", ErrLimit, s.limits.MaxNodes)
	}
	var op operator
	var name string
	err := walk(b, at, map[int]part{
		3: func(f field, at string) (err error) { name, err = text(f, at); return err },
		4: func(f field, at string) (err error) { op.name, err = text(f, at); return err },
		7: func(f field, at string) (err error) { op.domain, err = text(f, at); return err },
		5: sub("attribute", func(b []byte, at string) error { return s.attribute(b, at, depth) }),
	})
	if err != nil {
		return err
	}
	if op.name == "ZipMap" && op.domain == "ai.onnx.ml" {
		s.sum.HasZipMap = true
	}
	// EPContext is a compiled blob, possibly in another file, for one vendor's
	// driver: it runs as native code and cannot be scanned.
	if op.name == "EPContext" {
		return fmt.Errorf("%w: EPContext (%s %q): export the model without a compiled context", ErrOperator, at, name)
	}
	if !slices.Contains(s.limits.Domains, op.domain) {
		if _, seen := s.uses[op]; !seen {
			s.uses[op] = fmt.Sprintf("node %q", name)
		}
	}
	return nil
}

// attribute reads an AttributeProto, which may hold tensors and graphs.
func (s *scanner) attribute(b []byte, at string, depth int) error {
	whole := sub("tensor", func(b []byte, at string) error { _, err := tensor(b, at); return err })
	graph := sub("graph", func(b []byte, at string) error { return s.graph(b, at, depth+1) })
	return walk(b, at, map[int]part{
		5: whole, 10: whole,
		6: graph, 11: graph,
		22: sub("sparse_tensor", sparse), 23: sub("sparse_tensors", sparse),
	})
}

// sparse reads a SparseTensorProto: two tensors.
func sparse(b []byte, at string) error {
	whole := sub("tensor", func(b []byte, at string) error { _, err := tensor(b, at); return err })
	return walk(b, at, map[int]part{1: whole, 2: whole})
}

// tensor reads a TensorProto and refuses one whose data lies elsewhere.
func tensor(b []byte, at string) (name string, err error) {
	external, location := false, ""
	err = walk(b, at, map[int]part{
		8: func(f field, at string) (err error) { name, err = text(f, at); return err },
		13: sub("external_data", func(b []byte, at string) error {
			external = true
			key, value, err := entry(b, at)
			if key == "location" {
				location = value
			}
			return err
		}),
		14: func(f field, at string) error {
			n, err := f.number(at)
			external = external || n != 0
			return err
		},
	})
	if err == nil && external {
		return name, fmt.Errorf("%w: tensor %q (%s) is kept in %s: save the model with its weights inside (onnx.save_model(..., save_as_external_data=False))",
			ErrExternalData, name, at, strconv.Quote(location))
	}
	return name, err
}

// entry reads a StringStringEntryProto.
func entry(b []byte, at string) (key, value string, err error) {
	err = walk(b, at, map[int]part{
		1: func(f field, at string) (err error) { key, err = text(f, at); return err },
		2: func(f field, at string) (err error) { value, err = text(f, at); return err },
	})
	return key, value, err
}
