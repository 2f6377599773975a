package features

import (
	"errors"
	"fmt"
	"strings"

	"hotpath/models"
)

// View compiles how the features of a model fill its inputs, as the schema in
// use now says. The error joins every problem: unknown names (with what was
// probably meant), types that do not fit the input, widths that do not add up.
func (s *Store) View(inputs *models.Layout, bindings []models.Binding) (*View, error) {
	return s.viewOf(s.schema.Load(), inputs, bindings)
}

func (s *Store) viewOf(schema *Schema, inputs *models.Layout, bindings []models.Binding) (*View, error) {
	b := viewBuilder{
		schema: schema, inputs: inputs, bound: make([]*models.Binding, len(inputs.Ports)),
		view: &View{store: s, names: map[string]int{}, template: inputs.NewRow()}, bare: map[string]string{},
	}
	for i := range bindings {
		switch p := bindings[i].Port; {
		case p < 0 || p >= len(inputs.Ports):
			b.add("binding %d: the model has no input %d", i, p)
		case b.bound[p] != nil:
			b.add("input %s is bound twice", inputs.Ports[p].Name)
		default:
			b.bound[p] = &bindings[i]
		}
	}
	for p := range inputs.Ports {
		b.port(p)
	}
	for i := range b.view.plans {
		b.view.plans[i].seal()
	}
	if err := errors.Join(b.problems...); err != nil {
		return nil, err
	}
	return b.view, nil
}

type viewBuilder struct {
	schema   *Schema
	inputs   *models.Layout
	bound    []*models.Binding // by port
	view     *View
	bare     map[string]string // bare name → qualified name that holds it
	problems []error
}

func (b *viewBuilder) add(format string, args ...any) {
	b.problems = append(b.problems, fmt.Errorf(format, args...))
}

func (b *viewBuilder) port(p int) {
	port := &b.inputs.Ports[p]
	if b.bound[p] == nil {
		b.unbound(p)
		return
	}
	elem := 0
	for _, name := range b.bound[p].Features {
		f, err := b.resolve(name, port.DType)
		if err != nil {
			b.add("input %s: %w", port.Name, err)
			elem = port.Width() // the sum would be wrong too: one problem is enough
			continue
		}
		b.slot(p, elem, f, []int{f.width})
		elem += f.width
	}
	if elem != port.Width() && len(b.problems) == 0 {
		b.add("input %s: its features have %d elements together, the input has %d (%s)", port.Name, elem, port.Width(), port)
	}
}

// unbound fills an input by its own name: a request-only feature or a raw tensor.
func (b *viewBuilder) unbound(p int) {
	port := &b.inputs.Ports[p]
	f := b.schema.request[port.Name]
	if f == nil {
		f = &feature{name: port.Name, kind: kindOf(port.DType), width: port.Width(), overridden: true}
	}
	if f.width != port.Width() {
		b.add("input %s: request.%s has width %d in the feature schema, the input has %d elements (%s)",
			port.Name, port.Name, f.width, port.Width(), port)
		return
	}
	b.slot(p, 0, f, port.Shape)
}

// resolve finds a feature by the name that a binding gives.
func (b *viewBuilder) resolve(name string, d models.DType) (*feature, error) {
	if f := b.schema.request[name]; f != nil {
		return f, nil
	}
	ename, fname, dotted := strings.Cut(name, ".")
	if !dotted {
		return &feature{name: name, kind: kindOf(d), width: 1, overridden: true}, nil
	}
	e := b.schema.entities[ename]
	if e == nil {
		return nil, fmt.Errorf("feature %s: the schema has no entity %q%s", name, ename, meant(ename, sortedKeys(b.schema.entities)))
	}
	f := e.features[fname]
	if f == nil {
		return nil, fmt.Errorf("feature %s: entity %s has no feature %q%s", name, ename, fname, meant(fname, e.sortedFeatures))
	}
	return f, nil
}

// kindOf is the natural type of a tensor's elements.
func kindOf(d models.DType) kind {
	switch d {
	case models.Bool:
		return kindBool
	case models.String:
		return kindString
	case models.Float32, models.Float64, models.Float16, models.BFloat16:
		return kindFloat
	}
	return kindInt
}

// fits says whether values of a type can fill a tensor of another.
func (k kind) fits(d models.DType) bool {
	switch d {
	case models.Invalid:
		return false
	case models.String:
		return k == kindString
	case models.Float16, models.BFloat16, models.Float32, models.Float64:
		return k != kindString
	case models.Bool:
		return k == kindBool
	}
	return k == kindInt || k == kindBool
}

// slot adds a feature at an element of a port.
func (b *viewBuilder) slot(p, elem int, f *feature, shape []int) {
	port := &b.inputs.Ports[p]
	name := f.qualified()
	if !f.kind.fits(port.DType) {
		b.add("input %s: feature %s of type %s cannot fill %s elements", port.Name, name, f.kind, port.DType)
		return
	}
	if elem+f.width > port.Width() {
		b.add("input %s: feature %s ends at element %d, the input has %d (%s)", port.Name, name, elem+f.width, port.Width(), port)
		return
	}
	s := slot{name: name, field: "features." + name, kind: f.kind, dtype: port.DType, port: p, elem: elem,
		width: f.width, shape: shape, size: max(1, port.DType.Size()), plan: -1, same: -1, next: -1,
		hasDefault: f.defaults != nil, canSend: f.overridden, failOn: f.failOn, maxAge: f.maxAge}
	s.off = b.inputs.Offset[p] + elem*s.size
	if port.DType == models.String {
		s.off = b.inputs.StringOffset[p] + elem
	}
	b.template(&s, f)
	i := len(b.view.slots)
	if f.entity != nil {
		s.plan = b.plan(f.entity)
		b.read(s.plan, i, &s, f)
	}
	b.view.slots = append(b.view.slots, s)
	b.name(i, f)
}

// template writes the default into the template row.
func (b *viewBuilder) template(s *slot, f *feature) {
	for e := range s.width {
		text := f.kind.zero()
		if f.defaults != nil {
			text = f.defaults[e]
		}
		if v := s.put(&b.view.template, e, []byte(text)); v != ok {
			b.add("feature %s: its default %s does not fit %s", s.name, text, s.dtype)
			return
		}
	}
}

// plan finds or adds the read of an entity.
func (b *viewBuilder) plan(e *entity) int {
	for i := range b.view.plans {
		if b.view.plans[i].entity == e {
			return i
		}
	}
	b.view.plans = append(b.view.plans, plan{entity: e})
	b.view.entities = append(b.view.entities, e.name)
	return len(b.view.plans) - 1
}

// read adds slot i to a plan: by a field that it reads already, or a new one.
func (b *viewBuilder) read(p, i int, s *slot, f *feature) {
	plan := &b.view.plans[p]
	plan.slots = append(plan.slots, i)
	if f.maxAge > 0 && !plan.stamped {
		plan.stamped = true
		plan.fields = append([]string{plan.entity.timestamp}, plan.fields...)
		plan.first = append([]int{-1}, plan.first...)
	}
	from := 0
	if plan.stamped {
		from = 1
	}
	for at := from; at < len(plan.fields); at++ {
		if plan.fields[at] == f.name {
			s.same = plan.first[at]
			plan.first[at] = i
			return
		}
	}
	plan.fields = append(plan.fields, f.name)
	plan.first = append(plan.first, i)
}

// name makes slot i findable by its qualified name and, where that is not
// ambiguous, by its bare name. A request-only feature wins its own name.
func (b *viewBuilder) name(i int, f *feature) {
	v := b.view
	if first, known := v.names[v.slots[i].name]; known && b.bare[v.slots[i].name] == "" {
		v.slots[i].next = v.slots[first].next
		v.slots[first].next = i
		return
	}
	v.names[v.slots[i].name] = i
	delete(b.bare, v.slots[i].name)
	if f.entity == nil {
		return
	}
	switch holder := b.bare[f.name]; {
	case holder != "" && holder != v.slots[i].name:
		v.names[f.name] = ambiguous
	case holder == "":
		if _, taken := v.names[f.name]; !taken {
			v.names[f.name] = i
			b.bare[f.name] = v.slots[i].name
		}
	}
}
