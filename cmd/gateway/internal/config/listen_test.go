package config

import (
	"strings"
	"testing"
)

func TestTheGRPCPortCanBeOffAndIsItsOwn(t *testing.T) {
	for _, c := range []struct{ grpc, listen, want string }{
		{"off", ":8080", ""},
		{"127.0.0.1:0", "127.0.0.1:0", ""}, // two free ports
		{":8081", ":8080", ""},
		{":8080", ":8080", "server.grpc_listen: :8080 is also server.listen; they need two ports"},
		{"127.0.0.1:9090", ":8080", "server.grpc_listen: 127.0.0.1:9090 is also server.admin_listen; they need two ports"},
		{"", ":8080", `server.grpc_listen: "" is not host:port, nor off`},
		{"no", ":8080", `server.grpc_listen: "no" is not host:port, nor off`},
	} {
		d := Default()
		d.Server.GRPCListen, d.Server.Listen = c.grpc, c.listen
		var got []string
		for _, p := range d.Validate() {
			got = append(got, p.String())
		}
		if strings.Join(got, "\n") != c.want {
			t.Errorf("%q beside %q: %q, want %q", c.grpc, c.listen, got, c.want)
		}
	}
}

func TestAMessageFitsTheMemory(t *testing.T) {
	d := Default()
	d.Server.GRPCMaxMessageBytes = d.Server.BodyMemoryBytes
	if ps := d.Validate(); len(ps) > 0 {
		t.Errorf("got %v", ps)
	}
	d.Server.BodyMemoryBytes--
	ps := d.Validate()
	if len(ps) != 1 || ps[0].Path != "server.grpc_max_message_bytes" {
		t.Errorf("got %v", ps)
	}
	d.Server.GRPCListen = Off
	if ps := d.Validate(); len(ps) > 0 {
		t.Errorf("off: %v", ps)
	}
}
