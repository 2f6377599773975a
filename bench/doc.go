// Package bench measures the gateway as a black box: real processes, real Redis,
// real sockets. `gateway bench run` starts a redis-server, a gateway and the bare
// floor (bench/floor), loads users' features, and sends load.
//
// # What is measured how
//
// Latency is only ever taken in an open loop: requests have planned times at a
// constant rate, and a request's latency is the end of its answer minus its
// planned time, whether or not it could be sent then. A stall of the server
// therefore counts for every request that should have been sent meanwhile
// (coordinated omission is not hidden). The suite proves it on each run: it stops
// the server by SIGSTOP for 200 ms, and p99.9 must show it.
//
// vegeta's own Result.Latency does not do that: vegeta stamps a request when one
// of its workers takes it up, so time that the generator runs behind, or waits for
// a free worker, is lost. vegetaGenerator gives vegeta a Pacer with the planned
// times and computes latency = Result.End() - plan(Result.Seq). Waiting for a
// connection is inside either figure.
//
// A net/http client costs more CPU than the server under test, and on a machine
// with two cores that spoils the measurement: at 10,000 requests/s vegeta used 74
// to 95 % of a core here. The wire generator is an epoll loop on one thread over
// raw sockets with the same planned times; it used 30 to 36 %. The headline scenario is run with both; every row says which of
// them made it. A step is void when its generator sent less than 99 % of the
// plan in time or used more than 70 % of a core.
//
// A closed loop of the wire generator (each connection sends when it has its
// answer, no pipelining) gives saturation and CPU per request, never latency.
//
// CPU per request is the difference of utime+stime in /proc/PID/stat over a step,
// divided by answers; it comes in ticks of 10 ms, so steps need some seconds.
//
// Floor and gateway alternate as pairs A B B A in fresh processes; the ratio is
// the median over pairs with a bootstrap 95 % interval.
//
// # Limits
//
// Generator, server and Redis share the machine's cores unless Options.Pin is
// set; the report says which, with the load average and the steal time.
// The suite needs Linux; on other systems it compiles and refuses to run.
package bench
