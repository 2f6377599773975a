// Package faultproxy is a TCP proxy on loopback that breaks the connections
// through it as a test asks: late, silent, deaf, cut, garbled or refused. The
// names of both sides are those of a request: the client connects to the proxy,
// the proxy to the server, and what the server sends are replies.
//
// It is small and ours, since a store's client needs faults that the usual
// proxies do not have: a connection that is lost without a word while later ones
// are good, a handshake that is never answered, replies that are noise.
package faultproxy

import "time"

// Fault is what becomes of the connections. The zero Fault passes everything on.
type Fault struct {
	// Delay holds back every piece of a reply, by up to Jitter more or less. The
	// order stays, and pieces are delayed at the same time, as on a long line.
	Delay, Jitter time.Duration
	// Swallow takes what both sides send and passes nothing on, without closing
	// anything. A connection that lost bytes never gets better, as TCP would not
	// go on without them; those made later are good once the fault is over.
	Swallow bool
	// SwallowNew does that to connections made under the fault alone: they are
	// accepted, and not even the handshake is answered.
	SwallowNew bool
	// Deaf reads from nobody, so that the buffers of both sides fill. Nothing is
	// lost: it all arrives when the fault is over.
	Deaf bool
	// ResetAfter resets a connection in the middle of a reply, after so many bytes
	// of replies under the fault. 0: never.
	ResetAfter int
	// Garble turns replies into noise.
	Garble bool
	// Refuse resets all connections and closes the port.
	Refuse bool
}
