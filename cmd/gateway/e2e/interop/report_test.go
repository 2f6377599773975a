//go:build interop

package interop

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// report is what docs/conformance.md says. Its text depends on what was seen
// alone: neither on the order of the runs, nor on the machine or the day.
type report struct {
	clients []clientRun
	backend string
}

// clientRun is one client's part.
type clientRun struct {
	name, version, module string
	checks                int
	what                  string
}

func (r *report) client(c clientRun) { r.clients = append(r.clients, c) }

const head = `# Conformance

What the gateway was held against that others wrote. ` + "`make conformance`" + ` runs all of
it against the real binary and writes this page.

`

// markdown is the whole page.
func (r *report) markdown() []byte {
	var b bytes.Buffer
	b.WriteString(head)
	if len(r.clients) > 0 {
		b.WriteString("## Clients\n\nUnmodified, as their makers ship them, over the demo models and over models of every\nelement type.\n\n")
		b.WriteString("| client | version | checks passed | of |\n|---|---|---|---|\n")
		for _, c := range r.clients {
			fmt.Fprintf(&b, "| %s | %s | %d | %s |\n", c.name, c.version, c.checks, c.what)
		}
		b.WriteString("\n")
	}
	b.WriteString(r.backend)
	return b.Bytes()
}

// conformance writes the part on the ONNX tests.
func (r *report) conformance(run *conformance, cases []backendCase, versions map[string]string) {
	var b strings.Builder
	byVerdict := map[verdict][]backendCase{}
	for _, c := range cases {
		byVerdict[c.Reference] = append(byVerdict[c.Reference], c)
	}
	must := len(byVerdict[passes]) + len(byVerdict[differs])
	fmt.Fprintf(&b, "## ONNX backend tests\n\nThe %d tests of ONNX %s, each a model with inputs and the outputs expected, run by\nONNX Runtime %s on the CPU. A test must pass where ONNX Runtime by itself can run it\nand the protocol has its types. Each model is copied into the repository as it is,\nwithout a configuration, loaded by the repository API, run over each transport, and\nunloaded.\n\n",
		len(cases), versions["onnx"], versions["onnxruntime"])
	b.WriteString("| tests | |\n|---|---|\n")
	fmt.Fprintf(&b, "| all | %d |\n", len(cases))
	fmt.Fprintf(&b, "| types that the protocol lacks | %d |\n", len(byVerdict[notCarried]))
	fmt.Fprintf(&b, "| ONNX Runtime cannot run them | %d |\n", len(byVerdict[unsupported]))
	fmt.Fprintf(&b, "| ONNX Runtime answers at random | %d |\n", len(byVerdict[random]))
	fmt.Fprintf(&b, "| **must pass** | **%d** |\n\n", must)
	run.table(&b, must)
	run.exceptions(&b)
	list(&b, "Held against ONNX Runtime's own answer", "What ONNX Runtime answers here differs from what the test expects by more than its\ntolerance. The gateway must give ONNX Runtime's answer.", byVerdict[differs], func(c backendCase) string { return c.Detail })
	list(&b, "Types that the protocol lacks", "Sequences, optionals, and elements of less than 8 bits or of the 8-bit floats.", byVerdict[notCarried], func(c backendCase) string { return c.Detail })
	list(&b, "ONNX Runtime cannot run them", "Its own message, on the CPU.", byVerdict[unsupported], func(c backendCase) string { return c.Detail })
	list(&b, "ONNX Runtime answers at random", "Two runs differ.", byVerdict[random], func(c backendCase) string { return c.Detail })
	r.backend = strings.TrimSpace(b.String()) + "\n"
}

// table counts by transport.
func (r *conformance) table(b *strings.Builder, must int) {
	b.WriteString("| transport | pass | refused, as they must be | cannot be asked | fail |\n|---|---|---|---|---|\n")
	for i, way := range r.transports {
		var passed, refused, unsendable, failed int
		for _, outcomes := range r.outcomes {
			switch o := outcomes[i]; {
			case o.err != nil:
				failed++
			case o.refused != "":
				refused++
			case o.unsendable != "":
				unsendable++
			default:
				passed++
			}
		}
		fmt.Fprintf(b, "| %s | %d | %d | %d | %d |\n", way.name, passed, refused, unsendable, failed)
	}
	b.WriteString("\n")
}

// exceptions names each test that did not pass everywhere.
func (r *conformance) exceptions(b *strings.Builder) {
	groups := map[string][]string{}
	for name, outcomes := range r.outcomes {
		for i, o := range outcomes {
			at := r.transports[i].name + ": "
			switch {
			case o.err != nil:
				groups["fails: "+at+o.err.Error()] = append(groups["fails: "+at+o.err.Error()], name)
			case o.refused != "":
				key := at + "the answer holds " + o.refused + "; refused with a message that names the binary form"
				groups[key] = append(groups[key], name)
			case o.unsendable != "":
				key := at + "cannot be sent: " + o.unsendable
				groups[key] = append(groups[key], name)
			}
		}
	}
	if len(groups) == 0 {
		return
	}
	b.WriteString("### Do not pass over every transport\n\n")
	writeGroups(b, groups)
}

// list names tests by their reason.
func list(b *strings.Builder, title, text string, cases []backendCase, reason func(backendCase) string) {
	if len(cases) == 0 {
		return
	}
	groups := map[string][]string{}
	for _, c := range cases {
		groups[reason(c)] = append(groups[reason(c)], c.Name)
	}
	fmt.Fprintf(b, "### %s\n\n%s\n\n", title, text)
	writeGroups(b, groups)
}

func writeGroups(b *strings.Builder, groups map[string][]string) {
	var reasons []string
	for reason, names := range groups {
		slices.Sort(names)
		reasons = append(reasons, reason)
	}
	slices.Sort(reasons)
	for _, reason := range reasons {
		fmt.Fprintf(b, "- %s (%d):\n  `%s`\n", strings.ReplaceAll(reason, "\n", " "), len(groups[reason]), strings.Join(groups[reason], "`, `"))
	}
	b.WriteString("\n")
}
