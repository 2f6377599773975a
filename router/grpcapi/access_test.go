package grpcapi

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"hotpath/router/grpcapi/pb"
	"hotpath/router/identity"
	"hotpath/router/identity/certs"
	"hotpath/router/identity/identitytest"
)

func withHeader(ctx context.Context, pairs ...string) context.Context {
	return metadata.NewOutgoingContext(ctx, metadata.Pairs(pairs...))
}

// call calls a method by its name, as a stream of which one message is sent, and gives
// the status.
func call(ctx context.Context, conn *grpc.ClientConn, method string) *status.Status {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method)
	if err == nil {
		// What goes wrong shows in what is received.
		_ = s.SendMsg(&emptypb.Empty{})
		_ = s.CloseSend()
		err = s.RecvMsg(&emptypb.Empty{})
	}
	return status.Convert(err)
}

// TestEveryMethodNeedsWhatTheTableSays walks the methods that the server has.
func TestEveryMethodNeedsWhatTheTableSays(t *testing.T) {
	file, keys := identitytest.OneEach(t)
	p := start(t, func(s *setup) {
		s.options.Access = identitytest.Access(t, identity.Options{KeysFile: file})
	})
	needs := identity.NeedsOf(identity.GRPCPort)
	walked := 0
	for service, info := range p.server.grpc.GetServiceInfo() {
		for _, m := range info.Methods {
			name := "/" + service + "/" + m.Name
			need, known := needs[name]
			if !known {
				t.Errorf("%s is not in identity.Endpoints: say what it needs", name)
				continue
			}
			walked++
			ctx := within(t, 10*time.Second)
			got := call(ctx, p.conn, name).Code()
			if need == identity.Public {
				if got == codes.Unauthenticated || got == codes.PermissionDenied {
					t.Errorf("%s is public and answers %s", name, got)
				}
				continue
			}
			if got != codes.Unauthenticated {
				t.Errorf("%s without a key: %s", name, got)
			}
			may, mayNot := identitytest.Holders(need)
			for _, scope := range mayNot {
				if s := call(withHeader(ctx, "x-api-key", keys[scope]), p.conn, name); s.Code() != codes.PermissionDenied || !strings.Contains(s.Message(), need.String()) {
					t.Errorf("%s with %s: %s %s", name, scope, s.Code(), s.Message())
				}
			}
			for _, scope := range may {
				s := call(withHeader(ctx, "authorization", "Bearer "+keys[scope]), p.conn, name)
				if s.Code() == codes.Unauthenticated || s.Code() == codes.PermissionDenied && !strings.Contains(s.Message(), "repository_api") {
					t.Errorf("%s with %s: %s %s", name, scope, s.Code(), s.Message())
				}
			}
		}
	}
	if walked != len(needs) {
		t.Errorf("the server has %d of the table's %d methods", walked, len(needs))
	}
	if s := call(context.Background(), p.conn, "/inference.GRPCInferenceService/Else"); s.Code() != codes.Unimplemented {
		t.Errorf("a method that does not exist: %s", s.Code())
	}
}

func TestEachRequestOfAStreamCounts(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys.yaml")
	entry, key := identitytest.Entry("ranking", "predict", "    quota: {requests_per_second: 0.001, burst: 3}\n")
	identitytest.Write(t, file, entry)
	p := start(t, func(s *setup) {
		s.options.Access = identitytest.Access(t, identity.Options{KeysFile: file})
	})
	s, err := p.client.ModelStreamInfer(withHeader(within(t, 10*time.Second), "x-api-key", key))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"", "", "quota"} { // the stream itself is the first
		if err := s.Send(request("risk", 1)); err != nil {
			t.Fatal(err)
		}
		out, err := s.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if got := out.GetErrorMessage(); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("request %d: %q, want %q", i, got, want)
		}
	}
	var trailer metadata.MD
	_, err = p.client.ModelInfer(withHeader(within(t, 10*time.Second), "x-api-key", key), request("risk", 1), grpc.Trailer(&trailer))
	if status.Code(err) != codes.ResourceExhausted || len(trailer["x-error-code"]) != 1 || trailer["x-error-code"][0] != "quota" {
		t.Errorf("over the quota: %v, %v", err, trailer)
	}
	if strings.Contains(p.log.String(), key) {
		t.Error("the log has the key in it")
	}
}

func TestGRPCOverTLS(t *testing.T) {
	ca, dir := identitytest.NewAuthority(t), t.TempDir()
	o := certs.Options{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem"), ClientCAFile: ca.File,
		MinVersion: tls.VersionTLS12, Reloads: identitytest.Reloads(t), Log: identitytest.Log()}
	ca.Server(t, o.CertFile, o.KeyFile)
	certificates, err := certs.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "keys.yaml")
	identitytest.Write(t, file, "  - name: ranking\n    scopes: [predict]\n    certificates: [\"dns:ranking.internal\"]\n")
	p := start(t, func(s *setup) {
		s.options.Access = identitytest.Access(t, identity.Options{KeysFile: file})
		s.options.TLS = certificates.GRPC()
	})
	infer := func(c *tls.Config) codes.Code {
		conn := p.dial(t, grpc.WithTransportCredentials(credentials.NewTLS(c)))
		_, err := pb.NewGRPCInferenceServiceClient(conn).ModelInfer(within(t, 10*time.Second), request("risk", 20000))
		return status.Code(err)
	}
	ranking := ca.Client(t, "x", func(c *x509.Certificate) { c.DNSNames = []string{"ranking.internal"} })
	for name, c := range map[string]struct {
		config *tls.Config
		want   codes.Code
	}{
		"its certificate":   {&tls.Config{RootCAs: ca.Pool, Certificates: []tls.Certificate{ranking}}, codes.OK},
		"TLS 1.2":           {&tls.Config{RootCAs: ca.Pool, Certificates: []tls.Certificate{ranking}, MaxVersion: tls.VersionTLS12}, codes.OK},
		"a stranger's name": {&tls.Config{RootCAs: ca.Pool, Certificates: []tls.Certificate{ca.Client(t, "y", nil)}}, codes.Unauthenticated},
		"no certificate":    {&tls.Config{RootCAs: ca.Pool}, codes.Unauthenticated},
		"an authority that is not ours": {&tls.Config{RootCAs: ca.Pool,
			Certificates: []tls.Certificate{identitytest.NewAuthority(t).Client(t, "x", func(c *x509.Certificate) { c.DNSNames = []string{"ranking.internal"} })}}, codes.Unavailable},
	} {
		if got := infer(c.config); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	// In the clear nothing is answered.
	if _, err := p.client.ServerLive(within(t, 3*time.Second), &pb.ServerLiveRequest{}); err == nil {
		t.Error("a call in the clear was answered")
	}
}
