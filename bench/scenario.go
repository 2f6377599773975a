package bench

import (
	"fmt"
	"math/rand/v2"
	"strconv"
)

// scenario is one kind of request.
type scenario struct {
	name  string
	shows string
	model string
	path  string
	// body appends the request's body for user number i.
	body func(dst []byte, sc *scenario, input string, i, users int) []byte
	// distinct bounds the number of prebuilt requests, for large bodies.
	distinct int
	// rows is the number of rows that one request scores.
	rows int
	// connections caps Options.Connections; 0 does not. A few batches of 100
	// already fill the model's queue: more would measure refusals.
	connections int
}

// batchSize is the number of users in a request of the batch scenario.
const batchSize = 100

// tensorWidth is the number of values in the raw tensor of the tensor scenario.
const tensorWidth = 64

// headline is the scenario that the floor is compared on.
const headline = "features_mid"

func scenarios() []scenario {
	return []scenario{
		{
			name: headline, model: "mid", path: "/predict", body: userBody, distinct: 1 << 20, rows: 1,
			shows: "the whole path: 10 features from Redis and the 64-256-128-1 MLP",
		},
		{
			name: "features_small", model: "mlp10", path: "/predict", body: userBody, distinct: 1 << 20, rows: 1,
			shows: "the path with a small model: what HTTP, features and hand-over cost",
		},
		{
			name: "tensor", model: "tensor", path: "/predict", body: tensorBody, distinct: 4096, rows: 1,
			shows: "a raw tensor of 64 values in the request, no feature store",
		},
		{
			name: "batch100", model: "mid", path: "/predict/batch", body: batchBody, distinct: 1024, rows: batchSize, connections: 2,
			shows: "100 users in one request",
		},
		{
			name: "explain", model: "mid", path: "/predict?explain=true", body: userBody, distinct: 1 << 20, rows: 1,
			shows: "the whole path with the feature vector and stage times in the answer",
		},
	}
}

// ScenarioNames lists the scenarios in the order in which they run.
func ScenarioNames() []string {
	all := scenarios()
	names := make([]string, len(all))
	for i := range all {
		names[i] = all[i].name
	}
	return names
}

func scenarioByName(name string) (scenario, bool) {
	for _, sc := range scenarios() {
		if sc.name == name {
			return sc, true
		}
	}
	return scenario{}, false
}

func appendUser(dst []byte, i int) []byte {
	return fmt.Appendf(dst, "u%07d", i)
}

func userBody(dst []byte, sc *scenario, _ string, i, _ int) []byte {
	dst = append(dst, `{"user_id":"`...)
	dst = appendUser(dst, i)
	dst = append(dst, `","model":"`...)
	dst = append(dst, sc.model...)
	return append(dst, `"}`...)
}

// tensorBody writes values with six digits after the point, as a client that
// prints float32 would.
func tensorBody(dst []byte, sc *scenario, input string, i, _ int) []byte {
	r := rand.New(rand.NewPCG(uint64(i), 64))
	dst = append(dst, `{"user_id":"`...)
	dst = appendUser(dst, i)
	dst = append(dst, `","model":"`...)
	dst = append(dst, sc.model...)
	dst = append(dst, `","features":{"`...)
	dst = append(dst, input...)
	dst = append(dst, `":[`...)
	for n := range tensorWidth {
		if n > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendFloat(dst, r.NormFloat64(), 'f', 6, 32)
	}
	return append(dst, `]}}`...)
}

func batchBody(dst []byte, sc *scenario, input string, i, users int) []byte {
	stride := users/batchSize + 1 // spreads the users of one request over all
	dst = append(dst, `{"instances":[`...)
	for n := range batchSize {
		if n > 0 {
			dst = append(dst, ',')
		}
		dst = userBody(dst, sc, input, (i+n*stride)%users, users)
	}
	return append(dst, `]}`...)
}

// order is a fixed permutation of the users, so that neighbours in time are not
// neighbours in Redis. Every run asks for the same users in the same order.
func order(users int) []int {
	return rand.New(rand.NewPCG(2, 0x5eed)).Perm(users)
}

// bodies builds the distinct request bodies of a scenario.
func (sc *scenario) bodies(input string, users int) [][]byte {
	perm := order(users)
	n := min(users, sc.distinct)
	out := make([][]byte, n)
	for i := range out {
		out[i] = sc.body(nil, sc, input, perm[i], users)
	}
	return out
}
