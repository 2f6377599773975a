//go:build chaos

package e2e

import (
	"testing"

	"hotpath/cmd/gateway/e2e/resppeer"
)

// TestEveryBadReply is the rest of rows 10 and 12.
func TestEveryBadReply(t *testing.T) { playReplies(t, otherReplies()) }

// otherReplies are the rest.
func otherReplies() []badReply {
	return []badReply{
		{"-BUSY", resppeer.Answering("HMGET", "-BUSY Redis is busy running a script\r\n"), "busy", ""},
		{"-OOM", resppeer.Answering("HMGET", "-OOM command not allowed when used memory > 'maxmemory'.\r\n"), "oom", ""},
		{"-READONLY", resppeer.Answering("HMGET", "-READONLY You can't write against a read only replica.\r\n"), "readonly", ""},
		{"-MASTERDOWN", resppeer.Answering("HMGET", "-MASTERDOWN Link with MASTER is down\r\n"), "masterdown", ""},
		{"-MOVED, from a server that is no cluster", resppeer.Answering("HMGET", "-MOVED 3999 127.0.0.1:1\r\n"), "redirect", ""},
		{"an array of 2 Gi elements", resppeer.Answering("HMGET", "*2147483647\r\n"), "transport", ""},
		{"an answer to another question", resppeer.Answering("HMGET", ":1\r\n"), "reply", ""},
		{"too few values", resppeer.Answering("HMGET", "*1\r\n$1\r\n1\r\n"), "reply", ""},
		{"HTTP", resppeer.Always("HTTP/1.1 400 Bad Request\r\n\r\n"), "transport", ""},
		{"nothing at all", resppeer.Always(""), "timeout", ""},
	}
}
