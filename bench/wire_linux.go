package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// wireGenerator is an event loop on one thread over raw sockets: prebuilt
// requests, no pipelining, keep-alive. It costs a fraction of net/http's CPU, so
// that on a small machine the server is what is measured. It runs open loops by
// planned times, as vegetaGenerator does, and closed loops.
type wireGenerator struct{}

func (wireGenerator) name() string { return GeneratorWire }

// wireConn is one connection; all fields belong to the loop's goroutine.
type wireConn struct {
	fd   int
	in   []byte // the answer so far is in[:n]
	n    int
	busy bool
	due  time.Duration // planned send of the request in flight
	sent time.Duration
}

// wireLoop is the state of one run; it lives on one goroutine.
type wireLoop struct {
	a      *attack
	out    *outcome
	epoll  int
	timer  int
	conns  []*wireConn
	idle   []int // indices of free connections, first in first out from head
	head   int
	start  time.Time
	next   int64 // number of the next request
	flight int
	broken error
}

func (g wireGenerator) run(ctx context.Context, a *attack) (*outcome, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	l := &wireLoop{a: a, out: newOutcome(), epoll: -1, timer: -1}
	defer l.close()
	if err := l.open(); err != nil {
		return nil, err
	}
	l.start = time.Now()
	err := l.loop(ctx)
	l.out.took = time.Since(l.start)
	for _, c := range l.conns {
		if c.busy {
			record(l.out.latency, l.out.took-c.due)
			l.out.fail("timeout")
		}
	}
	return l.out, err
}

func (l *wireLoop) open() (err error) {
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("epoll_create: %w", err)
	}
	if l.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK); err != nil {
		return fmt.Errorf("timerfd_create: %w", err)
	}
	// Edge-triggered: setting the timer again re-arms it without a read.
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: -1}
	if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, l.timer, &ev); err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	for i := range l.a.connections {
		l.conns = append(l.conns, &wireConn{fd: -1, in: make([]byte, 16<<10)})
		if err := l.dial(i); err != nil {
			return err
		}
		l.idle = append(l.idle, i)
	}
	return nil
}

func (l *wireLoop) dial(i int) error {
	fd, err := dialRaw(l.a.load.addr)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", l.a.load.addr, err)
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: int32(i)}
	if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return errors.Join(fmt.Errorf("epoll_ctl: %w", err), unix.Close(fd))
	}
	l.conns[i].fd = fd
	return nil
}

func (l *wireLoop) close() {
	for _, c := range l.conns {
		if c.fd >= 0 {
			_ = unix.Close(c.fd)
		}
	}
	for _, fd := range []int{l.timer, l.epoll} {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
}

func (l *wireLoop) loop(ctx context.Context) error {
	var events [256]unix.EpollEvent
	for round := 0; ; round++ {
		if round%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		now := time.Since(l.start)
		l.sendDue(now)
		if l.broken != nil {
			return l.broken
		}
		if l.over(now) {
			return nil
		}
		if err := l.arm(now); err != nil {
			return err
		}
		n, err := unix.EpollWait(l.epoll, events[:], 100)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("epoll_wait: %w", err)
		}
		for _, ev := range events[:n] {
			if ev.Fd >= 0 {
				l.receive(int(ev.Fd))
			}
		}
		if n == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// more says whether requests are still to be sent at now.
func (l *wireLoop) more(now time.Duration) bool {
	if l.a.rate == 0 {
		return now < l.a.duration
	}
	return l.next < l.a.planned() && now < l.a.duration+l.a.grace()
}

func (l *wireLoop) over(now time.Duration) bool {
	return !l.more(now) && (l.flight == 0 || now > l.a.duration+answerTimeout)
}

// arm sets the timer to the next planned send, when a connection is free for it.
func (l *wireLoop) arm(now time.Duration) error {
	if l.a.rate == 0 || l.head == len(l.idle) || !l.more(now) {
		return nil
	}
	wait := max(l.a.due(l.next)-time.Since(l.start), 1)
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(wait.Nanoseconds())}
	if err := unix.TimerfdSettime(l.timer, 0, &spec, nil); err != nil {
		return fmt.Errorf("timerfd_settime: %w", err)
	}
	return nil
}

// sendDue sends what is due on free connections.
func (l *wireLoop) sendDue(now time.Duration) {
	for l.head < len(l.idle) && l.more(now) {
		due := now
		if l.a.rate > 0 {
			if due = l.a.due(l.next); due > now {
				return
			}
		}
		i := l.idle[l.head]
		l.head++
		if l.head > 4096 {
			l.idle = append(l.idle[:0], l.idle[l.head:]...)
			l.head = 0
		}
		l.send(i, due)
		now = time.Since(l.start)
	}
}

func (l *wireLoop) send(i int, due time.Duration) {
	c := l.conns[i]
	c.busy, c.n, c.due, c.sent = true, 0, due, time.Since(l.start)
	l.flight++
	record(l.out.lag, c.sent-due)
	raw := l.a.load.raw[l.next%int64(len(l.a.load.raw))]
	l.next++
	l.out.send(c.sent, l.a)
	if err := writeAll(c.fd, raw); err != nil {
		l.lost(i, "reset")
	}
}

// receive reads what came on a connection and finishes the request when the
// answer is complete.
func (l *wireLoop) receive(i int) {
	c := l.conns[i]
	if c.n == len(c.in) {
		c.in = append(c.in, make([]byte, len(c.in))...)
	}
	n, err := unix.Read(c.fd, c.in[c.n:])
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return
	case err != nil:
		l.lost(i, "reset")
		return
	case n == 0:
		l.lost(i, "closed")
		return
	}
	c.n += n
	head, ok := parseAnswer(c.in[:c.n])
	if !ok {
		return
	}
	if head.code == 0 {
		l.lost(i, "malformed")
		return
	}
	record(l.out.latency, time.Since(l.start)-c.due)
	l.out.answer(head.code)
	l.free(i)
	if head.close {
		l.redial(i)
	}
}

func (l *wireLoop) free(i int) {
	c := l.conns[i]
	if c.busy {
		c.busy = false
		l.flight--
		l.idle = append(l.idle, i)
	}
}

// lost counts a request without an answer and opens the connection again. A
// connection that is closed while idle counts nothing.
func (l *wireLoop) lost(i int, kind string) {
	c := l.conns[i]
	if c.busy {
		record(l.out.latency, time.Since(l.start)-c.due)
		l.out.fail(kind)
		l.free(i)
	}
	l.redial(i)
}

func (l *wireLoop) redial(i int) {
	c := l.conns[i]
	_ = unix.Close(c.fd)
	c.fd = -1
	if err := l.dial(i); err != nil && l.broken == nil {
		l.broken = err
	}
}
