package abtest

import (
	"encoding/json"
	"fmt"
	"testing"
)

// The SQL gives the same buckets, reasons and variants as the reference.
func TestSQLAgrees(t *testing.T) {
	t.Parallel()
	script(t, "2012 rows agree\n", "assign_sql.py", "500")
}

// sqlPlan is a random plan of what the SQL covers: layers, holdouts, ramps and
// variants of any salts and weights, all for users.
func (g generator) sqlPlan() Config {
	salt := func() string {
		return pick(g, "", fmt.Sprint("salt", g.IntN(1000)), fmt.Sprint("Größe ", g.IntN(1000)))
	}
	held := func() *HoldoutConfig {
		return pick(g, nil, &HoldoutConfig{Share: ptr(float64(1+g.IntN(3000)) / 100), Salt: salt()})
	}
	cfg := Config{Holdout: held(), Layers: []LayerConfig{{Name: "l0", Salt: salt(), Holdout: held()}, {Name: "l1", Salt: salt()}}}
	free := map[string]int{}
	for i := range 1 + g.IntN(8) {
		e := split(fmt.Sprint("e", i), g.sqlWeights()...)
		e.Salt = salt()
		if g.chance(50) {
			e.Ramp = g.ramps()
		}
		if layer := fmt.Sprint("l", g.IntN(3)); layer < "l2" && free[layer] < Buckets {
			low := free[layer]
			high := min(low+1+g.IntN(5000), Buckets)
			e.Layer, e.Range, free[layer] = layer, []int{low, high}, high
		}
		cfg.Experiments = append(cfg.Experiments, e)
	}
	return cfg
}

// sqlWeights are any two, or a few of those that the reference deals already.
func (g generator) sqlWeights() []float64 {
	if g.chance(30) {
		return pick(g, randomWeights...)
	}
	n := g.IntN(Buckets + 1)
	return []float64{float64(n) / 100, float64(Buckets-n) / 100}
}

// sqlUser is any id of a user.
func (g generator) sqlUser() string {
	return pick(g, fmt.Sprint("user-", g.IntN(1<<30)), fmt.Sprint(g.Uint64()), shapes["uuid"](g.IntN(1<<30)), fmt.Sprintf("Zoë %d@例え.example", g.IntN(1<<20)))
}

// sqlVector is a plan with what its experiments say of users: rows of experiment,
// user, bucket, reason and variant.
type sqlVector struct {
	Config Config  `json:"config"`
	Now    int64   `json:"now"`
	Rows   [][]any `json:"rows"`
}

func (g generator) sqlVector(t *testing.T) sqlVector {
	v := sqlVector{Config: g.sqlPlan(), Now: int64(g.IntN(40))}
	p := under(t, v.Config)
	seen := map[string]bool{}
	for range 500 {
		user := g.sqlUser()
		if seen[user] {
			continue
		}
		seen[user] = true
		for _, e := range p.Experiments() {
			a := e.Explain(&Request{User: []byte(user), Now: v.Now})
			variant := ""
			if a.Variant != nil {
				variant = a.Variant.Name()
			}
			v.Rows = append(v.Rows, []any{e.Name(), user, a.Bucket, a.Reason, variant})
		}
	}
	return v
}

// The SQL agrees with the Go code on random plans, bit for bit: make assignments
// compares a million.
func TestSQLRecomputes(t *testing.T) {
	t.Parallel()
	g, rows := newGenerator(17), 0
	file := written(t, func(enc *json.Encoder) error {
		for rows < *assignments {
			v := g.sqlVector(t)
			rows += len(v.Rows)
			if err := enc.Encode(v); err != nil {
				return err
			}
		}
		return nil
	})
	script(t, fmt.Sprintf("%d assignments agree\n", rows), "assign_sql.py", "--recompute", file)
}
