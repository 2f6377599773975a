//go:build race

package oipwire

const raceEnabled = true
