//go:build race

package exposure_test

const raceDetector = true
