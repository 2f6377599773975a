// Package child runs what black-box tests run: the gateway's own binary, built
// once, and the servers and tools beside it. Each is started in a folder of its
// own, ended by its process id when its test ends, and its log is searched for
// races and panics.
package child
