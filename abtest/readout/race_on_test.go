//go:build race

package readout

// raceEnabled says that the race detector is on: it makes long simulations ten times
// slower and finds nothing in them.
const raceEnabled = true
