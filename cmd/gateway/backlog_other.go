//go:build !linux

package main

import "net"

func listenTraffic(addr string) (net.Listener, error) { return net.Listen("tcp", addr) }

// emptyBacklog needs Linux; elsewhere connections that arrive in the instant in
// which the listener closes are reset.
func emptyBacklog(net.Listener) {}
