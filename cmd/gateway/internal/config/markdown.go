package config

import (
	"bufio"
	"fmt"
	"io"
	"reflect"
	"strings"
)

const markdownHead = "# Configuration\n\n" +
	"<!-- Generated from the code by `go test ./cmd/gateway/internal/config -update`; do not edit. -->\n\n" +
	"The gateway reads one YAML file, named by `--config` or `$" + EnvFile + "`. `gateway config init` writes one with every\n" +
	"default, `gateway validate` reports every mistake with file, line and key.\n\n" +
	"A value comes from the last of these that gives one: the default, the file, the environment variable in the table, a\n" +
	"flag (`--set server.listen=:8080`). Unknown keys and unknown `HOTPATH_` variables are errors. Lists in the environment\n" +
	"and in flags are separated by commas. Durations are written `250ms`, `1.5s`, `1h30m`; sizes as bytes or `256KiB`,\n" +
	"`512MB`. Paths are relative to the directory that the gateway is started in.\n"

// WriteMarkdown writes docs/configuration.md: a table for each section of the
// main file, then a chapter for each further file.
func WriteMarkdown(w io.Writer) error {
	b := bufio.NewWriter(w)
	b.WriteString(markdownHead)
	b.WriteString("\n## Main file\n")
	head := false // whether the section's table has its head
	walk(reflect.ValueOf(Default()).Elem(), "", func(s section) {
		fmt.Fprintf(b, "\n### %s\n\n%s\n", s.path, s.doc)
		head = false
	}, func(l leaf) {
		if !head {
			b.WriteString("\n| Key | Type | Default | Environment | Meaning |\n|---|---|---|---|---|\n")
			head = true
		}
		doc := l.doc
		if limits := l.limits(); limits != "" {
			doc += " " + strings.ToUpper(limits[:1]) + limits[1:] + "."
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | `%s` | %s |\n", lastName(l.path), l.kind(), code(l.yaml()), l.env, cell(doc))
	})
	for _, c := range chapters() {
		b.WriteString(Document(c.title, c.intro, c.value))
	}
	return b.Flush()
}
