package bench

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// TargetOptions says which targets file to write.
type TargetOptions struct {
	// URL is the gateway's base address, such as http://127.0.0.1:8080.
	URL string
	// Scenario is the name of the scenario whose requests are written.
	Scenario string
	// Model replaces the scenario's model when it is not empty.
	Model string
	// Input is the name of the tensor scenario's input; default x.
	Input string
	// Users is the number of distinct users.
	Users int
}

// WriteTargets writes the requests of a scenario in vegeta's JSON format, one a
// line, for `vegeta attack -format=json -targets=FILE`.
func WriteTargets(w io.Writer, o TargetOptions) error {
	sc, ok := scenarioByName(o.Scenario)
	if !ok {
		return fmt.Errorf("scenario %q: must be one of %s", o.Scenario, strings.Join(ScenarioNames(), ", "))
	}
	if o.Users < 1 {
		return fmt.Errorf("users = %d: must be at least 1", o.Users)
	}
	if !strings.HasPrefix(o.URL, "http://") && !strings.HasPrefix(o.URL, "https://") {
		return fmt.Errorf("URL %q: must start with http:// or https://", o.URL)
	}
	if o.Model != "" {
		sc.model = o.Model
	}
	if o.Input == "" {
		o.Input = defaultInput
	}
	buf := bufio.NewWriter(w)
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	for _, body := range sc.bodies(o.Input, o.Users) {
		t := vegeta.Target{
			Method: http.MethodPost,
			URL:    strings.TrimRight(o.URL, "/") + sc.path,
			Body:   body,
			Header: http.Header{"Content-Type": {"application/json"}},
		}
		if err := enc.Encode(&t); err != nil {
			return err
		}
	}
	return buf.Flush()
}

// load is what every generator sends: the same requests in the same order.
type load struct {
	addr   string // host:port
	path   string
	bodies [][]byte
	// raw holds the same requests as the bytes of HTTP/1.1 keep-alive requests.
	raw [][]byte
}

func newLoad(addr, path string, bodies [][]byte) *load {
	l := &load{addr: addr, path: path, bodies: bodies, raw: make([][]byte, len(bodies))}
	for i, b := range bodies {
		l.raw[i] = fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			path, addr, len(b), b)
	}
	return l
}

// targeter walks through the bodies.
func (l *load) targeter() vegeta.Targeter {
	var next atomic.Uint64
	url := "http://" + l.addr + l.path
	header := http.Header{"Content-Type": {"application/json"}}
	return func(t *vegeta.Target) error {
		if t == nil {
			return errors.New("nil target")
		}
		i := (next.Add(1) - 1) % uint64(len(l.bodies))
		t.Method, t.URL, t.Header, t.Body = http.MethodPost, url, header, l.bodies[i]
		return nil
	}
}
