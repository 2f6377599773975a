package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
)

// reportFormat is the version of the JSON report.
const reportFormat = 1

// Report is everything that a Run measured.
type Report struct {
	Format    int        `json:"format"`
	Machine   Machine    `json:"machine"`
	Seconds   float64    `json:"seconds"`
	Figures   []Figure   `json:"figures"`
	Scenarios []Scenario `json:"scenarios"`
	Pairs     *Pairs     `json:"pairs,omitempty"`
}

// Scenario is one kind of request, measured.
type Scenario struct {
	Name           string `json:"name"`
	Shows          string `json:"shows"`
	Model          string `json:"model"`
	Path           string `json:"path"`
	RowsPerRequest int    `json:"rows_per_request"`
	Users          int    `json:"users"`
	Connections    int    `json:"connections"`
	// Closed is the closed loop: saturation and CPU per request only.
	Closed Step `json:"closed_loop"`
	// Saturation is the highest open-loop rate that held; requests a second.
	Saturation float64     `json:"saturation"`
	Ramp       []Step      `json:"ramp"`
	Fixed      []Step      `json:"fixed"`
	Stall      *StallCheck `json:"stall,omitempty"`
	// Broken says why the scenario was given up after the closed loop.
	Broken string `json:"broken,omitempty"`
}

// Figure is one of the figures to reach, with what was measured.
type Figure struct {
	Name     string  `json:"name"`
	Measured float64 `json:"measured"`
	Limit    float64 `json:"limit"`
	Unit     string  `json:"unit"`
	AtLeast  bool    `json:"at_least,omitempty"` // the limit is a lower one
	Met      bool    `json:"met"`
	Note     string  `json:"note"`
}

// The figures to reach.
const (
	maxFloorRatio = 1.35
	maxP99At10k   = 1500 // µs
	maxP99Near    = 8000 // µs, at 80 % of saturation
	figureRate    = 10000
	figureShare   = "80% of saturation"
)

// judge compares what was measured with the figures to reach. What was not
// measured gives no figure.
func (r *Report) judge() []Figure {
	var out []Figure
	if p := r.Pairs; p != nil && p.ClosedCPU.N > 0 {
		i := p.ClosedCPU
		out = append(out, Figure{
			Name: "CPU per /predict, gateway over floor", Measured: i.Median, Limit: maxFloorRatio, Unit: "x", Met: i.Median <= maxFloorRatio,
			Note: fmt.Sprintf("closed loop, 95%% interval %.2f to %.2f of %d pairs", i.Low, i.High, i.N),
		})
	}
	for i := range r.Scenarios {
		sc := &r.Scenarios[i]
		if sc.Name != headline {
			continue
		}
		if s := best(sc.Fixed, func(s *Step) bool { return s.Rate == figureRate }); s != nil {
			out = append(out, latencyFigure("p99 at 10,000 requests/s, open loop", s, maxP99At10k))
		}
		if s := best(sc.Fixed, func(s *Step) bool { return s.Label == figureShare }); s != nil {
			out = append(out, latencyFigure("p99 at 80% of saturation, open loop", s, maxP99Near))
		}
		if st := sc.Stall; st != nil {
			out = append(out, Figure{
				Name: "stall shown in p99.9 (coordinated omission check)", Measured: st.Step.Latency.P999 / 1000, Limit: stallShown * st.Micros / 1000, Unit: "ms",
				AtLeast: true, Met: st.Shown, Note: fmt.Sprintf("server stopped for %.0f ms at %.0f/s; max %.0f ms", st.Micros/1000, st.Step.Rate, st.Step.Latency.Max/1000),
			})
		}
	}
	return out
}

func latencyFigure(name string, s *Step, limit float64) Figure {
	f := Figure{
		Name: name, Measured: s.Latency.P99 / 1000, Limit: limit / 1000, Unit: "ms", Met: s.Latency.P99 <= limit && s.Failed == 0 && s.Void == "",
		Note: fmt.Sprintf("%s generator, %d failed of %d", s.Generator, s.Failed, s.Sent),
	}
	if s.Void != "" {
		f.Note += ", void: " + s.Void
	}
	return f
}

// best is the wanted step that may be read: the one that is not void, and of
// several the one whose generator took the least CPU from the server.
func best(steps []Step, wanted func(*Step) bool) *Step {
	var found *Step
	for i := range steps {
		s := &steps[i]
		if !wanted(s) {
			continue
		}
		if found == nil || (found.Void != "") && s.Void == "" ||
			(found.Void != "") == (s.Void != "") && s.GeneratorCPU < found.GeneratorCPU {
			found = s
		}
	}
	return found
}

// JSON is the report's file.
func (r *Report) JSON() ([]byte, error) {
	b, err := json.MarshalIndent(r, "", " ")
	return append(b, '\n'), err
}

// ReadReport reads a JSON report.
func ReadReport(file string) (*Report, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var r Report
	if err := d.Decode(&r); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if r.Format != reportFormat {
		return nil, fmt.Errorf("%s: report format %d, this version reads %d: measure again", file, r.Format, reportFormat)
	}
	return &r, nil
}
