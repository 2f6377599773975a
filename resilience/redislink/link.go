package redislink

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/rueidis"
)

// State of the connection, for readiness.
type State struct {
	// Connected: the latest check was answered.
	Connected bool
	// Kind names what is wrong, as the kind label of the metrics does: auth,
	// refused, loading, timeout... Empty while connected.
	Kind string
	// Err is the latest error; nil while connected.
	Err error
	// Since is when Connected or Kind last changed.
	Since time.Time
	// Code is Kind as a number, for counters: Transport before the first attempt,
	// without meaning while connected.
	Code Kind
}

// Link owns the client: it makes it, keeps its connection alive and ends it.
//
// rueidis.NewClient fails without a server, yet a gateway must start without
// one. So the client is made by the keeper goroutine, which tries until it
// succeeds. From then on the keeper PINGs under its own bound: a lost connection
// is built again by that PING, never under the deadline of a request.
type Link struct {
	opts         Options
	client       atomic.Pointer[rueidis.Client]
	state        atomic.Pointer[State]
	pacer        *pacer
	sentinelMark *net.Resolver      // the dialer of sentinel connections carries it
	dials        prometheus.Counter // may be nil

	// changing serialises changes of state, which the keeper and the workers report.
	changing sync.Mutex

	// shut makes dial refuse. A closed cluster client can still have a refresh of
	// its topology scheduled, up to a second ahead, which must not connect again.
	shut   atomic.Bool
	cancel context.CancelFunc // nil: there is no keeper
	kept   chan struct{}      // closed by the keeper when it ends
}

// Open starts the keeper. It does not wait for Redis, which need not be there.
// dials, if not nil, counts the attempts to connect. The caller closes the link.
func Open(o Options, dials prometheus.Counter) (*Link, error) {
	l, option, err := newLink(o, dials)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel, l.kept = cancel, make(chan struct{})
	go l.keep(ctx, option)
	return l, nil
}

// Connect makes a link without a keeper, for tools: it connects, or says within
// the dial timeout why it cannot. The caller closes the link.
func Connect(o Options) (*Link, error) {
	l, option, err := newLink(o, nil)
	if err != nil {
		return nil, err
	}
	if err := l.connect(option); err != nil {
		return nil, err
	}
	return l, nil
}

func newLink(o Options, dials prometheus.Counter) (*Link, rueidis.ClientOption, error) {
	if err := o.Validate(); err != nil {
		return nil, rueidis.ClientOption{}, err
	}
	l := &Link{opts: o, pacer: newPacer(o.Connections), sentinelMark: &net.Resolver{}, dials: dials}
	l.state.Store(&State{Kind: "starting", Err: errStarting, Since: time.Now(), Code: Transport})
	option, err := l.option()
	return l, option, err
}

// Client is nil until the first connection was made.
func (l *Link) Client() rueidis.Client {
	if c := l.client.Load(); c != nil {
		return *c
	}
	return nil
}

// State is how the connection does. It is read only.
func (l *Link) State() *State { return l.state.Load() }

// option configures the client.
//
// AlwaysPipelining: with a single caller in flight the client would otherwise
// turn the caller's deadline into a socket deadline and close the connection
// when it passes. DisableRetry: retries are decided above, within a budget.
// DisableCache: the cache takes 128 MiB per connection and empties on every
// reconnect. The ring is small, since the callers' workers bound what is in flight.
func (l *Link) option() (rueidis.ClientOption, error) {
	o := l.opts
	tc, err := o.TLS.config()
	if err != nil {
		return rueidis.ClientOption{}, err
	}
	multiplex := -1 // one connection
	for n := o.Connections; n > 1; n >>= 1 {
		multiplex = max(multiplex, 0) + 1
	}
	dialer := net.Dialer{Timeout: o.DialTimeout, KeepAlive: o.KeepAlive}
	option := rueidis.ClientOption{
		InitAddress: o.Addresses, Username: o.Username, Password: o.Password, SelectDB: o.DB,
		ClientName: "hotpath", ClientSetInfo: rueidis.DisableClientSetInfo,
		TLSConfig: tc, Dialer: dialer, DialCtxFn: l.dial,
		ConnWriteTimeout: o.WriteTimeout, PipelineMultiplex: multiplex,
		ReadBufferEachConn: o.ReadBuffer, WriteBufferEachConn: o.WriteBuffer, RingScaleEachConn: 8,
		DisableRetry: true, DisableCache: true, AlwaysPipelining: true,
		ForceSingleClient: o.Mode == Standalone,
		ClusterOption:     rueidis.ClusterOption{MaxMovedRedirections: 2, ShardsRefreshInterval: time.Second},
	}
	if o.Mode == Sentinel {
		dialer.Resolver = l.sentinelMark
		option.Sentinel = rueidis.SentinelOption{
			Dialer: dialer, TLSConfig: tc, MasterSet: o.MasterSet, ClientName: "hotpath",
			Username: o.SentinelUsername, Password: o.SentinelPassword,
			TopologyRefreshInterval: time.Second,
		}
	}
	return option, nil
}

// keep makes the client and then checks it until ctx ends.
func (l *Link) keep(ctx context.Context, option rueidis.ClientOption) {
	defer close(l.kept)
	tick := time.NewTicker(l.opts.HealInterval)
	defer tick.Stop()
	for {
		if l.client.Load() == nil {
			if err := l.connect(option); err != nil {
				l.Failed(err)
			}
		}
		if c := l.client.Load(); c != nil {
			l.check(ctx, *c)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// connect makes one attempt to make the client, bounded by the dial timeout per
// address and by the pacer.
func (l *Link) connect(option rueidis.ClientOption) error {
	c, err := rueidis.NewClient(option)
	if err != nil {
		if c != nil {
			c.Close()
		}
		return err
	}
	l.client.Store(&c)
	return nil
}

func (l *Link) check(ctx context.Context, c rueidis.Client) {
	ctx, cancel := context.WithTimeout(ctx, l.opts.DialTimeout+l.opts.WriteTimeout)
	defer cancel()
	if err := c.Do(ctx, c.B().Ping().Build()).Error(); err != nil {
		if ctx.Err() != context.Canceled {
			l.Failed(err)
		}
		return
	}
	l.works()
}

// works reports an answer.
func (l *Link) works() {
	if l.state.Load().Connected {
		return
	}
	l.changing.Lock()
	defer l.changing.Unlock()
	l.state.Store(&State{Connected: true, Since: time.Now()})
}

// Failed reports an error that a worker met, and gives the state that it leads
// to. An attempt that the pacer refused tells nothing new: the reason of the
// attempt before it stands.
func (l *Link) Failed(err error) *State {
	l.changing.Lock()
	defer l.changing.Unlock()
	old := l.state.Load()
	if !old.Connected && errors.Is(err, ErrPaced) {
		return old
	}
	kind := Classify(err)
	s := &State{Kind: kind.String(), Err: err, Since: time.Now(), Code: kind}
	if !old.Connected && old.Code == kind && old.Err != errStarting {
		s.Since = old.Since
	}
	l.state.Store(s)
	return s
}

// Close ends the keeper, then the client. The workers have ended before.
func (l *Link) Close() {
	if l.cancel != nil {
		l.cancel()
		<-l.kept
	}
	l.shut.Store(true)
	if c := l.Client(); c != nil {
		c.Close()
	}
}
