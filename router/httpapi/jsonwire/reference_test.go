package jsonwire

import (
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"hotpath/router/httpapi/jsonscan/jsonscantest"
)

// reference says by other means what the decoder must say: json/v2 for what is
// JSON, and a plain reading of the API's rules. It is slow and easy to check.
type reference struct {
	json   bool // well-formed, not counting depth
	deep   bool // nested deeper than the limit
	wanted bool // and what the API wants
	userID string
	model  string
	texts  map[string]string // string values by section and name
}

func refer(body []byte, l Limits) reference {
	r := reference{json: jsontext.Value(body).IsValid(), deep: jsonscantest.Depth(body) > l.Depth, texts: map[string]string{}}
	if !r.json || r.deep || jsontext.Value(body).Kind() != '{' {
		return r
	}
	var top map[string]jsontext.Value
	if json.Unmarshal(body, &top) != nil {
		return r
	}
	r.wanted = r.request(top, l)
	return r
}

func (r *reference) request(top map[string]jsontext.Value, l Limits) bool {
	for name, v := range top {
		switch name {
		case "user_id":
			if !text(v, &r.userID) || !idAllowed(r.userID, l) {
				return false
			}
		case "model":
			if !text(v, &r.model) || !idAllowed(r.model, l) {
				return false
			}
		case "request_id":
			var id string
			if !text(v, &id) || !idAllowed(id, l) || strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c > '~' }) {
				return false
			}
		case "features", "entities", "context":
			if !r.members(name, v, l) {
				return false
			}
		default:
			return false
		}
	}
	_, there := top["user_id"]
	return there
}

func (r *reference) members(section string, v jsontext.Value, l Limits) bool {
	var list map[string]jsontext.Value
	if v.Kind() != '{' || json.Unmarshal(v, &list) != nil {
		return false
	}
	limit := map[string]int{"features": l.Features, "entities": l.Entities, "context": l.Context}[section]
	if len(list) > limit {
		return false
	}
	for name, v := range list {
		if name == "" || len(name) > l.KeyBytes {
			return false
		}
		var s string
		isText := text(v, &s)
		r.texts[section+"."+name] = s
		switch section {
		case "features":
			if v.Kind() == '{' || v.Kind() == '[' && hasObject(v) {
				return false
			}
		case "context":
			if v.Kind() == '{' || v.Kind() == '[' {
				return false
			}
		case "entities":
			if v.Kind() == '0' && !strings.ContainsAny(string(v), ".eE") && string(v) != "-0" {
				s = string(v)
			} else if !isText {
				return false
			}
			if !idAllowed(s, l) {
				return false
			}
		}
	}
	return true
}

func text(v jsontext.Value, s *string) bool { return v.Kind() == '"' && json.Unmarshal(v, s) == nil }

func idAllowed(id string, l Limits) bool {
	return id != "" && len(id) <= l.IDBytes && utf8.ValidString(id) &&
		!strings.ContainsFunc(id, func(c rune) bool { return c < ' ' || c == 0x7f })
}

func hasObject(v jsontext.Value) bool {
	var list []jsontext.Value
	if v.Kind() != '[' || json.Unmarshal(v, &list) != nil {
		return v.Kind() == '{'
	}
	for _, e := range list {
		if hasObject(e) {
			return true
		}
	}
	return false
}
