//go:build race

package e2e

// raceEnabled says that the gateway is built with the race detector: it is about
// ten times slower, so loads are smaller and time limits wider.
const raceEnabled = true
