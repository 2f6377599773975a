package features

import (
	"bufio"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"hotpath/models"
	"hotpath/resilience/redislink"
)

// peer is a scripted Redis: it answers HELLO and PING, and every HMGET with reply.
type peer struct {
	t      *testing.T
	listen net.Listener
	wg     sync.WaitGroup

	mu    sync.Mutex
	reply string
	mute  bool // accept, read, never answer
	conns []net.Conn
}

func startPeer(t *testing.T, reply string) *peer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{t: t, listen: l, reply: reply}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		l.Close()
		p.drop()
		p.wg.Wait()
	})
	return p
}

func (p *peer) accept() {
	for {
		c, err := p.listen.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		p.conns = append(p.conns, c)
		p.mu.Unlock()
		p.wg.Go(func() { p.serve(c) })
	}
}

func (p *peer) set(reply string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reply = reply
}

func (p *peer) setMute(mute bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mute = mute
}

// drop closes every connection.
func (p *peer) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

func (p *peer) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		name, err := readCommand(r)
		if err != nil {
			return
		}
		p.mu.Lock()
		reply, mute := p.reply, p.mute
		p.mu.Unlock()
		if mute {
			continue
		}
		switch name {
		case "HELLO":
			reply = "%2\r\n$7\r\nversion\r\n$5\r\n7.0.0\r\n$5\r\nproto\r\n:3\r\n"
		case "PING":
			reply = "+PONG\r\n"
		case "HMGET":
		default:
			reply = "+OK\r\n"
		}
		if _, err := io.WriteString(c, reply); err != nil {
			return
		}
	}
}

func readCommand(r *bufio.Reader) (name string, err error) {
	line := func() string {
		s, e := r.ReadString('\n')
		if e != nil {
			err = e
		}
		return strings.TrimRight(s, "\r\n")
	}
	n, _ := strconv.Atoi(strings.TrimPrefix(line(), "*"))
	for i := range n {
		line()
		if arg := line(); i == 0 {
			name = arg
		}
	}
	return name, err
}

func TestErrorReplies(t *testing.T) {
	p := startPeer(t, "")
	s, reg := openStore(t, testOptions(p.listen.Addr().String()), testSchema(t, 1))
	connected(t, s)
	v := floatView(t, s, "user.f0")
	for _, c := range []struct{ reply, kind string }{
		{"-LOADING Redis is loading the dataset in memory", "loading"},
		{"-BUSY Redis is busy running a script", "busy"},
		{"-OOM command not allowed when used memory > 'maxmemory'.", "oom"},
		{"-NOAUTH Authentication required.", "auth"},
		{"-READONLY You can't write against a read only replica.", "readonly"},
		{"-MASTERDOWN Link with MASTER is down", "masterdown"},
		{"-CLUSTERDOWN The cluster is down", "clusterdown"},
		{"-MOVED 3999 127.0.0.1:1", "redirect"},
		{"-ERR unknown command", "reply"},
		{"*2\r\n$1\r\n1\r\n$1\r\n2", "reply"},
		{":1", "reply"},
	} {
		p.set(c.reply + "\r\n")
		before := sample(t, reg, "hotpath_feature_errors_total", c.kind)
		x := newVector(v)
		if err := x.fetch(time.Second, "u"); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: error %v", c.reply, err)
		}
		if got := x.shown(); got != "default_unavailable" {
			t.Errorf("%s: origins %s", c.reply, got)
		}
		if n := sample(t, reg, "hotpath_feature_errors_total", c.kind) - before; n != 1 {
			t.Errorf("%s: counted %v times as %s", c.reply, n, c.kind)
		}
		eventually(t, 2*time.Second, "connected", func() bool { return s.State().Connected })
	}
	p.set("*1\r\n$3\r\n1.5\r\n")
	if x := newVector(v); x.fetch(time.Second, "u") != nil || x.float(0) != 1.5 {
		t.Fatal("no answer after the errors")
	}
}

// TestGarbage is case 12: the connection goes, memory stays, the next one works.
func TestGarbage(t *testing.T) {
	p := startPeer(t, "")
	s, _ := openStore(t, testOptions(p.listen.Addr().String()), testSchema(t, 1))
	connected(t, s)
	v := floatView(t, s, "user.f0")
	noise := make([]byte, 4096)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, reply := range []string{"$2147483647\r\n", "*2147483647\r\n", strings.Repeat("*1\r\n", 1000), "\x01" + string(noise), "HTTP/1.1 200 OK\r\n\r\n"} {
		p.set(reply)
		eventually(t, 3*time.Second, "refused", func() bool {
			err := newVector(v).fetch(time.Second, "u")
			return errors.Is(err, ErrUnavailable) && !errors.Is(err, redislink.ErrPaced)
		})
		p.set("*1\r\n$3\r\n1.5\r\n")
		eventually(t, 3*time.Second, "healed", func() bool { return newVector(v).fetch(time.Second, "u") == nil })
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.TotalAlloc - before.TotalAlloc); grown > 64<<20 {
		t.Errorf("%d bytes allocated for garbage", grown)
	}
}

// TestDroppedConnection: the reply that was cut off is nobody's, and the next
// fetch finds a new connection at once.
func TestDroppedConnection(t *testing.T) {
	p := startPeer(t, "*1\r\n$3\r\n1.5\r\n")
	s, _ := openStore(t, testOptions(p.listen.Addr().String()), testSchema(t, 1))
	connected(t, s)
	v := floatView(t, s, "user.f0")
	p.set("*1\r\n$3\r\n1.") // cut off
	if err := newVector(v).fetch(20*time.Millisecond, "u"); !errors.Is(err, ErrTimeout) {
		t.Fatalf("error %v", err)
	}
	p.set("*1\r\n$3\r\n2.5\r\n")
	p.drop()
	took := eventually(t, 500*time.Millisecond, "healed", func() bool {
		x := newVector(v)
		err := x.fetch(time.Second, "u")
		if err == nil && x.float(0) != 2.5 {
			t.Fatalf("answered %v, of another request", x.float(0))
		}
		return err == nil
	})
	t.Logf("healed in %s", took)
}

// TestSilentHandshake is case 7: nobody waits for a handshake that hangs.
func TestSilentHandshake(t *testing.T) {
	p := startPeer(t, "*1\r\n$3\r\n1.5\r\n")
	s, reg := openStore(t, testOptions(p.listen.Addr().String()), testSchema(t, 1))
	connected(t, s)
	v := floatView(t, s, "user.f0")
	p.setMute(true)
	p.drop()
	dials := sample(t, reg, "hotpath_feature_dials_total", "")
	start := time.Now()
	for time.Since(start) < time.Second {
		at := time.Now()
		if err := newVector(v).fetch(20*time.Millisecond, "u"); err == nil {
			t.Fatal("an answer from a silent peer")
		}
		if took := time.Since(at); took > 150*time.Millisecond {
			t.Errorf("fetch took %s with a budget of 20ms", took)
		}
	}
	if n := sample(t, reg, "hotpath_feature_dials_total", "") - dials; n > 4 {
		t.Errorf("%v dials in a second", n)
	}
	p.setMute(false)
	eventually(t, 2*time.Second, "healed", func() bool { return newVector(v).fetch(100*time.Millisecond, "u") == nil })
}

func TestReplyForms(t *testing.T) {
	s, _ := openStore(t, testOptions("127.0.0.1:1"), testSchema(t, 2))
	v := floatView(t, s, "user.f0", "user.f1")
	for text, want := range map[string]string{
		"*2\r\n$3\r\n1.5\r\n$-1\r\n": "store default_missing",
		"*2\r\n_\r\n$1\r\n2\r\n":     "default_missing store",
		"*2\r\n$3\r\n1.5\r\n$9\r\n1": "store unset",
		"*2\r\n$3\r\n1.5\r\n":        "store unset",
		"*1\r\n$3\r\n1.5\r\n":        "unset unset",
		"*2":                         "unset unset",
		"":                           "unset unset",
	} {
		m := message(text)
		x := newVector(v)
		done := v.decode(&v.plans[0], &m, &x.row, x.origins, models.OriginStore)
		if got := x.shown(); got != want || done == strings.Contains(want, "unset") {
			t.Errorf("%q: %s %v, want %s", text, got, done, want)
		}
	}
}

// message is the client's form of one string.
func message(text string) rueidis.RedisMessage {
	raw := append([]byte{0, 0, 0, 0, 0, 0, 0, '$', 0, 0, 0, 0, byte(len(text) >> 24), byte(len(text) >> 16), byte(len(text) >> 8), byte(len(text))}, text...)
	var m rueidis.RedisMessage
	if err := m.CacheUnmarshalView(raw); err != nil {
		panic(err)
	}
	return m
}

// FuzzStoredValue: no stored bytes panic, and what is refused leaves the default.
func FuzzStoredValue(f *testing.F) {
	for _, s := range []string{"1.5", "NaN", "[1,2,3]", "[1,2", "true", "", "9999999999999999999999", `["a","b"]`, "[0.1,-1e3,4]"} {
		f.Add([]byte(s))
	}
	schema := testSchema(f, 1)
	v, err := (&Store{opts: DefaultOptions(), metrics: discardMetrics(f)}).viewOf(schema, models.NewLayout([]models.Port{
		{Name: "X", DType: models.Float32, Shape: []int{5}}, {Name: "I", DType: models.Int16}, {Name: "S", DType: models.String}}),
		[]models.Binding{{Port: 0, Features: []string{"user.f0", "user.embed", "user.member"}},
			{Port: 1, Features: []string{"user.age"}}, {Port: 2, Features: []string{"user.country"}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		x := newVector(v)
		for i := range v.slots {
			s := &v.slots[i]
			o := v.fill(s, &x.row, value, 0, models.OriginStore)
			if o != models.OriginStore && o != models.OriginInvalid {
				t.Fatalf("origin %s", o)
			}
			for e := range s.width {
				if s.kind == kindString {
					if o == models.OriginInvalid && x.row.StringAt(s.off+e) != v.template.StringAt(s.off+e) {
						t.Fatalf("%s: refused %q left %q", s.name, value, x.row.StringAt(s.off+e))
					}
					continue
				}
				got, def := x.row.Data[s.off:s.off+s.width*s.size], v.template.Data[s.off:s.off+s.width*s.size]
				if o == models.OriginInvalid && string(got) != string(def) {
					t.Fatalf("%s: refused %q left %x, want %x", s.name, value, got, def)
				}
				if s.kind == kindFloat {
					if f := x.row.Float32(s.off + e*s.size); f != f || f-f != 0 {
						t.Fatalf("%s: %q became %v", s.name, value, f)
					}
				}
			}
		}
	})
}
