package features

import (
	"context"
	"fmt"
	"io"

	"github.com/alicebob/miniredis/v2"
)

// Embedded is a small Redis inside the process, for demos: same protocol, same
// code on the way to it, no persistence.
type Embedded struct {
	server *miniredis.Miniredis
	// Report is what the seed wrote.
	Report LoadReport
}

// StartEmbedded starts a server on a free loopback port and loads a CSV file
// (see Load) into it; a nil seed loads nothing. The caller closes it, after the
// stores that use it.
func StartEmbedded(ctx context.Context, schema *Schema, seed io.Reader) (*Embedded, error) {
	server := miniredis.NewMiniRedis()
	if err := server.StartAddr("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("embedded feature store: %w", err)
	}
	e := &Embedded{server: server}
	if seed == nil {
		return e, nil
	}
	o := DefaultOptions()
	o.Addresses = []string{e.Addr()}
	var err error
	if e.Report, err = Load(ctx, o, schema, seed, nil); err != nil {
		server.Close()
		return nil, fmt.Errorf("seed of the embedded feature store: %w", err)
	}
	return e, nil
}

// Addr is the host:port of the server.
func (e *Embedded) Addr() string { return e.server.Addr() }

// Close stops the server.
func (e *Embedded) Close() { e.server.Close() }
