package config

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"hotpath/models/strictyaml"
)

func TestWriteDefaultIsTheDefault(t *testing.T) {
	var b bytes.Buffer
	if err := WriteDefault(&b); err != nil {
		t.Fatal(err)
	}
	file := write(t, "gateway.yaml", b.String())
	c, sources, err := Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(c, Default()) {
		t.Errorf("got %+v\nwant %+v", c, Default())
	}
	if want := len(leaves(c)); len(sources) != want {
		t.Errorf("the file gives %d of %d keys", len(sources), want)
	}
	for i, line := range strings.Split(b.String(), "\n") {
		if len(line) > 100 {
			t.Errorf("line %d is %d bytes long: %s", i+1, len(line), line)
		}
	}
	expect(t, "testdata/default.good.yaml", b.Bytes())
}

func TestMarkdownIsUpToDate(t *testing.T) {
	var b bytes.Buffer
	if err := WriteMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	for _, l := range leaves(Default()) {
		if !strings.Contains(b.String(), "`"+l.env+"`") {
			t.Errorf("%s is missing", l.path)
		}
	}
	expect(t, "../../../../docs/configuration.md", b.Bytes())
}

type inner struct {
	Rate  float32 `yaml:"rate" doc:"share | of all" min:"0" max:"1"`
	Again *inner  `yaml:"again" doc:"the same inside"`
}

type documented struct {
	Name   string            `yaml:"name,omitempty" doc:"a name with a <tag>"`
	Mode   string            `yaml:"mode" enum:"a,b" doc:"mode"`
	Wait   time.Duration     `yaml:"wait" doc:"Wait."`
	Size   strictyaml.Bytes  `yaml:"size" doc:"size"`
	Items  []inner           `yaml:"items" doc:"items"`
	ByName map[string]inner  `yaml:"by_name" doc:"by name"`
	One    inner             `yaml:"one" doc:"one"`
	Free   any               `yaml:"free" doc:"free"`
	Counts map[string][]uint `yaml:"counts" doc:"counts"`
	Switch *bool             `yaml:"switch" doc:"switch"`
	Hidden int               `yaml:"-"`
	Inline struct {
		Deep int64 `yaml:"deep" doc:"deep"`
	} `yaml:",inline"`
}

func TestDocument(t *testing.T) {
	v := documented{Name: "x", Mode: "b", Wait: time.Minute, Size: 2048, One: inner{Rate: 0.5}}
	expect(t, "testdata/document.md", []byte(Document("Title", "Intro.", &v)))
}
