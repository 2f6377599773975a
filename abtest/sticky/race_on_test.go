//go:build race

package sticky

// raceEnabled says whether the race detector is on.
const raceEnabled = true
