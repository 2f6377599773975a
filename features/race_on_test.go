//go:build race

package features

// raceEnabled says whether the race detector is on.
const raceEnabled = true
