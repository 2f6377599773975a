//go:build !race

package jsonl_test

const raceDetector = false
