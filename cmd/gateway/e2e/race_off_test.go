//go:build !race

package e2e

// raceEnabled says that the gateway is built with the race detector.
const raceEnabled = false
