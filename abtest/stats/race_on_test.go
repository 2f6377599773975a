//go:build race

package stats

// raceEnabled says that the race detector is on: it makes pure computation ten
// times slower and finds nothing in it.
const raceEnabled = true
