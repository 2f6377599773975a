//go:build race

package router_test

const raceDetector = true
