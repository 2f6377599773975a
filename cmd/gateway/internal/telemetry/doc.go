// Package telemetry makes the process's logger and metrics registry.
//
// Logging never blocks a request: lines go through a bounded queue to one
// writer goroutine, and what does not fit (a full disk, a pipe that nobody
// reads) is dropped and counted.
package telemetry
