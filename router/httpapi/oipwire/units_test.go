package oipwire

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// manyEntities are so many parameters.
func manyEntities(n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf(`"entity.e%d":%d`, i, i))
	}
	return strings.Join(list, ",")
}

// TestUnitsAreRead: what parameters bring for the experiments.
func TestUnitsAreRead(t *testing.T) {
	for parameters, want := range map[string]string{
		`"entity.session":"s\u0031","entity.card":-7,"context.country":"de"`: "context.country=de|entity.card=-7|entity.session=s1",
		`"context.age":4.5,"context.beta":true,"context.x":null,"other":{}`:  "context.age=4.5|context.beta=true|context.x=null",
		`"entity":"x","context":"y","contexts.a":1`:                          "",
		manyEntities(1): "entity.e0=0",
	} {
		r, err := decode(t, `{"inputs":[],"parameters":{`+parameters+`}}`)
		if err != nil || showUnits(r) != want {
			t.Errorf("%s: %s (%v), want %s", parameters, showUnits(r), err, want)
		}
		r.Free()
		if len(r.Entities)+len(r.Context) != 0 {
			t.Errorf("%s stays", parameters)
		}
	}
}

// readUnits reads what experiments look at.
func (r *reference) readUnits(m map[string]json.RawMessage, l Limits) bool {
	var all []string
	entities, attributes := 0, 0
	for key, v := range m {
		s, number := "", v[0] == '-' || v[0] >= '0' && v[0] <= '9'
		isText := text(v, &s)
		if !isText {
			s = string(v)
		}
		name, entity := strings.CutPrefix(key, "entity.")
		attribute := false
		if !entity {
			name, attribute = strings.CutPrefix(key, "context.")
		}
		switch {
		case !entity && !attribute:
			continue
		case name == "" || len(name) > l.KeyBytes:
			return false
		case attribute:
			attributes++
			if v[0] == '[' || v[0] == '{' {
				return false
			}
		case !isText && (!number || strings.ContainsAny(s, ".eE") || s == "-0"), s == "" || !idAllowed(s, l):
			return false
		default:
			entities++
		}
		all = append(all, key+"="+s)
	}
	slices.Sort(all)
	r.units = strings.Join(all, "|")
	return entities <= l.Entities && attributes <= l.Context
}

// showUnits are those of a request in the same form.
func showUnits(r *Request) string {
	var all []string
	for _, v := range r.Entities {
		all = append(all, "entity."+string(v.Key)+"="+string(v.Raw))
	}
	for _, v := range r.Context {
		all = append(all, "context."+string(v.Key)+"="+string(v.Raw))
	}
	slices.Sort(all)
	return strings.Join(all, "|")
}
