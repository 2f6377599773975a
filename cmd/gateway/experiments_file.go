package main

import (
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"strings"

	"hotpath/abtest"
	"hotpath/cmd/gateway/internal/experiments"
	"hotpath/models/strictyaml"
)

// stdinName stands for standard input where a file is named.
const stdinName = "-"

// readInput reads a small file, or standard input.
func (a *app) readInput(name string) ([]byte, error) {
	if name != stdinName {
		data, err := strictyaml.ReadFile(name)
		if err != nil {
			return nil, wrongError{err}
		}
		return data, nil
	}
	data, err := io.ReadAll(io.LimitReader(a.stdin, strictyaml.MaxBytes+1))
	if err == nil && len(data) > strictyaml.MaxBytes {
		err = errors.New("standard input is over the limit of 4 MiB")
	}
	return data, err
}

// experimentsText is an experiments file of the caller.
type experimentsText struct {
	name string
	data []byte
}

func (a *app) readExperiments(name string) (experimentsText, error) {
	data, err := a.readInput(name)
	if name == stdinName {
		name = "<stdin>"
	}
	return experimentsText{name, data}, err
}

// kind is the media type of the text.
func (t experimentsText) kind() string {
	if filepath.Ext(t.name) == ".json" {
		return kindJSON
	}
	return kindYAML
}

// compile checks the text here. Its error holds every problem.
func (t experimentsText) compile() (*abtest.Plan, error) { return experiments.Compile(t.name, t.data) }

// attributes reads the flags --attr. A value that reads as a number or as true or
// false is one, unless it is in double quotes; any other is a text.
func attributes(pairs []string) (map[string]json.RawMessage, error) {
	all := map[string]json.RawMessage{}
	for _, pair := range pairs {
		name, text, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, wrongf("--attr %q is not name=value, as in --attr country=de", pair)
		}
		var v any
		if json.Unmarshal([]byte(text), &v) == nil {
			switch v.(type) {
			case string, float64, bool:
				all[name] = json.RawMessage(text)
				continue
			}
		}
		quoted, err := json.Marshal(text)
		if err != nil {
			return nil, err
		}
		all[name] = quoted
	}
	return all, nil
}

// knownAttributes are attributes as an assignment looks at them.
type knownAttributes map[string]json.RawMessage

// Attribute implements abtest.Attributes.
func (k knownAttributes) Attribute(name string) (abtest.Value, bool) {
	return abtest.JSONValue(k[name])
}

// maxUserBytes is the longest id that the gateway takes.
const maxUserBytes = 256

// readUsers reads one id a line, of a file or of standard input. Empty lines and
// those that begin with # are left out.
func (a *app) readUsers(name string) ([]string, error) {
	data, err := a.readInput(name)
	if err != nil {
		return nil, err
	}
	var users []string
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		user := strings.TrimSpace(line)
		if user == "" || strings.HasPrefix(user, "#") {
			continue
		}
		if len(user) > maxUserBytes {
			return nil, wrongf("%s:%d: an id of %d bytes, the limit is %d; give one id a line", name, number, len(user), maxUserBytes)
		}
		users = append(users, user)
	}
	if len(users) == 0 {
		return nil, wrongf("%s names no users; give one id a line", name)
	}
	return users, nil
}
