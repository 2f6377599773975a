// Package oip is the Open Inference Protocol apart from its transports: what a
// server says about itself and its models, with Triton's extensions, in the
// protocol's own words. router/httpapi and router/grpcapi put it on the wire, and
// what they need to know they ask a Catalog.
package oip
