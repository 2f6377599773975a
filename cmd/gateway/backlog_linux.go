package main

import (
	"context"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The bounds of emptyBacklog: the time that handshakes in progress get, and the
// longest wait for the accept loop.
const (
	handshakeTime = 10 * time.Millisecond
	backlogTime   = 250 * time.Millisecond
)

// listenTraffic listens with plain TCP. Go's default is Multipath TCP, whose
// sockets take no filter.
func listenTraffic(addr string) (net.Listener, error) {
	var c net.ListenConfig
	c.SetMultipathTCP(false)
	return c.Listen(context.Background(), "tcp", addr)
}

// emptyBacklog makes a listener refuse new connections and waits until those
// that the kernel has accepted already are accepted here, too: closing a listener
// resets them, requests and all. The refusal is a socket filter that drops SYN
// segments, so the client's kernel tries again a second later and then finds the
// port closed, or another replica. Whatever fails leaves the listener as it was.
func emptyBacklog(ln net.Listener) {
	tcp, ok := ln.(*net.TCPListener)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	attached := false
	if err := raw.Control(func(fd uintptr) { attached = dropSYN(int(fd)) == nil }); err != nil || !attached {
		return
	}
	time.Sleep(handshakeTime)
	for end := time.Now().Add(backlogTime); time.Now().Before(end) && backlog(raw) > 0; {
		time.Sleep(time.Millisecond)
	}
}

// dropSYN attaches the filter. It sees a segment from the TCP header on: byte 13
// holds the flags.
func dropSYN(fd int) error {
	const synFlag, pass = 0x02, 0xffffffff
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 13},
		{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, Jt: 0, Jf: 1, K: synFlag},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
		{Code: unix.BPF_RET | unix.BPF_K, K: pass},
	}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
		&unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
}

// backlog is the number of connections that wait to be accepted: for a listening
// socket the kernel gives it as the unacknowledged segments.
func backlog(raw syscall.RawConn) (n uint32) {
	err := raw.Control(func(fd uintptr) {
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			n = info.Unacked
		}
	})
	if err != nil {
		return 0
	}
	return n
}
