package redislink

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/redis/rueidis"
)

var (
	// ErrPaced: the address was dialed a moment ago. It tells nothing new about
	// the server; the reason of the attempt before it stands.
	ErrPaced = errors.New("next attempt to connect is not due yet")

	errStarting = errors.New("not connected yet")
	errShut     = errors.New("the connection is shut down")
)

// Kind is what went wrong with a command, as the kind label of a metric.
type Kind uint8

// The kinds. WrongType is the data's fault and says nothing about the server.
const (
	Timeout Kind = iota
	Refused
	Transport
	Auth
	Loading
	Busy
	Readonly
	MasterDown
	ClusterDown
	OOM
	Redirect
	Reply
	WrongType
	NumKinds
)

var kindNames = [NumKinds]string{"timeout", "refused", "transport", "auth", "loading", "busy", "readonly",
	"masterdown", "clusterdown", "oom", "redirect", "reply", "wrongtype"}

// String is the kind's label.
func (k Kind) String() string { return kindNames[k] }

// replyKinds maps the first word of an error reply.
var replyKinds = []struct {
	prefix string
	kind   Kind
}{
	{"WRONGTYPE", WrongType}, {"LOADING", Loading}, {"BUSY", Busy}, {"NOAUTH", Auth},
	{"WRONGPASS", Auth}, {"NOPERM", Auth}, {"READONLY", Readonly}, {"MASTERDOWN", MasterDown},
	{"CLUSTERDOWN", ClusterDown}, {"OOM", OOM}, {"MOVED", Redirect}, {"ASK", Redirect},
	{"TRYAGAIN", Redirect},
}

// Classify names what went wrong with a command.
func Classify(err error) Kind {
	var reply *rueidis.RedisError
	if errors.As(err, &reply) {
		text := reply.Error()
		for _, r := range replyKinds {
			if strings.HasPrefix(text, r.prefix) {
				return r.kind
			}
		}
		if strings.Contains(text, "invalid password") || strings.Contains(text, "without any password configured") {
			return Auth
		}
		return Reply
	}
	var netErr net.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &netErr) && netErr.Timeout():
		return Timeout
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	}
	return Transport
}
