package e2e

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"testing"

	"hotpath/models/demo"

	"hotpath/cmd/gateway/e2e/child"
)

// oracle is what the risk model answers for each user and version. It is asked
// for once, through forced variants, and held against scikit-learn's own outputs
// wherever the golden cases are a user's row.
type oracle struct {
	users []string
	// predictions by version and user.
	predictions map[int]map[string]float64
	// defaults by version, for a user without stored features.
	defaults map[int]float64
	// golden are the users and versions that scikit-learn vouches for.
	golden map[int]map[string]float64
}

// threeVersions forces any version of the risk model.
const threeVersions = `experiments:
  - name: all
    model: risk
    variants:
      - {name: v1, weight: 34, version: 1}
      - {name: v2, weight: 33, version: 2}
      - {name: v3, weight: 33, version: 3}
`

const (
	oracleUsers = 60
	// unknownUser has no features in the store.
	unknownUser = "nobody"
	// sameScore is how far two runs of one version may differ: rows are summed in
	// another order in another batch.
	sameScore = 1e-6
	// likeSklearn is the promise of the demo.
	likeSklearn = 1e-5
)

var askOnce = struct {
	sync.Once
	answer *oracle
}{}

// theOracle asks the first time it is called.
func theOracle(t *testing.T) *oracle {
	t.Helper()
	askOnce.Do(func() { askOnce.answer = askOracle(t) })
	if askOnce.answer == nil {
		t.Fatal("no oracle: an earlier test failed while asking")
	}
	return askOnce.answer
}

func askOracle(t *testing.T) *oracle {
	o := &oracle{predictions: map[int]map[string]float64{}, defaults: map[int]float64{}, golden: goldenUsers(t)}
	for i := 1; i <= oracleUsers; i++ {
		o.users = append(o.users, "user-"+strconv.Itoa(i))
	}
	dir := demoFiles(t, threeVersions)
	copyFolder(t, dir+"/candidates/risk/3", dir+"/repository/risk/3")
	redis := startRedis(t, child.FreePort(t))
	redis.fill(t, dir)
	g := startGateway(t, dir, append(demoArgs(dir, redis.addr), calm...)...)
	for version := 1; version <= 3; version++ {
		ask := func(user string) float64 {
			status, p := g.predict(t, fmt.Sprintf(`{"user_id":%q}`, user), "X-Hotpath-Variant", fmt.Sprintf("v%d", version))
			if status != 200 || p.Version != version || p.Reason != "forced" || len(p.Degraded) > 0 {
				t.Fatalf("oracle: %d %+v", status, p)
			}
			return p.Prediction
		}
		o.predictions[version] = map[string]float64{}
		for _, user := range o.users {
			o.predictions[version][user] = ask(user)
		}
		o.defaults[version] = ask(unknownUser)
		for user, want := range o.golden[version] {
			if got := ask(user); math.Abs(got-want) > likeSklearn {
				t.Errorf("version %d gives %s %v, scikit-learn %v", version, user, got, want)
			}
		}
	}
	g.Stop(t)
	if t.Failed() {
		return nil
	}
	return o
}

// goldenUsers finds the users whose rows are golden cases, with scikit-learn's
// probability that the prediction shorthand answers.
func goldenUsers(t *testing.T) map[int]map[string]float64 {
	t.Helper()
	data, err := demo.Files().ReadFile("features.csv")
	if err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(strings.NewReader(string(data))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	users := map[string]string{}
	for _, line := range lines[1:] {
		users[rowKey(t, line[2:])] = line[1]
	}
	out := map[int]map[string]float64{}
	for version, folder := range map[int]string{1: "repository/risk/1", 2: "repository/risk/2", 3: "candidates/risk/3"} {
		data, err := demo.Files().ReadFile(folder + "/golden.json")
		if err != nil {
			t.Fatal(err)
		}
		var golden struct {
			Cases []struct {
				Inputs  struct{ X []json.Number }
				Outputs struct{ Probabilities []float64 }
			}
		}
		if err := json.Unmarshal(data, &golden); err != nil {
			t.Fatal(err)
		}
		out[version] = map[string]float64{}
		for _, c := range golden.Cases {
			var texts []string
			for _, n := range c.Inputs.X {
				texts = append(texts, n.String())
			}
			if user := users[rowKey(t, texts)]; user != "" {
				out[version][user] = c.Outputs.Probabilities[1]
			}
		}
		if len(out[version]) < 10 {
			t.Fatalf("version %d: only %d users are golden cases", version, len(out[version]))
		}
	}
	return out
}

// rowKey is equal for rows of equal numbers, however they are written.
func rowKey(t *testing.T, texts []string) string {
	t.Helper()
	var b strings.Builder
	for _, text := range texts {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%g,", float32(v))
	}
	return b.String()
}

// body is that of a load over the oracle's users.
func (o *oracle) body(i int) (user, rest string) {
	user = o.users[i%len(o.users)]
	return user, fmt.Sprintf(`"user_id":%q}`, user)
}

// check holds every good answer against the oracle: the prediction is that of
// this user under the version that the answer names (I3). An answer degraded by
// features may be that of a user without features instead.
func (o *oracle) check(t *testing.T, r report) {
	t.Helper()
	wrong := 0
	for i := range r.answers {
		a := &r.answers[i]
		if a.err != nil || a.reply.status != 200 {
			continue
		}
		got, version := a.parsed.Prediction, a.parsed.Version
		want, known := o.predictions[version][a.user]
		if known && math.Abs(got-want) <= sameScore || known && degraded(a) && math.Abs(got-o.defaults[version]) <= sameScore {
			continue
		}
		if wrong++; wrong <= 5 {
			t.Errorf("request %d: %s got %v of version %d, want %v (degraded %v)", a.seq, a.user, got, version, want, a.parsed.Degraded)
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d answers are wrong", wrong, len(r.answers))
	}
}

// versions counts the good answers by version.
func (r report) versions() map[int]int {
	m := map[int]int{}
	for i := range r.answers {
		if a := &r.answers[i]; a.err == nil && a.reply.status == 200 {
			m[a.parsed.Version]++
		}
	}
	return m
}
