// Package httpapi is the HTTP side of the router on valyala/fasthttp: it decodes
// a request into a router.Exchange, calls the pipeline, and encodes what came
// out. The JSON itself is in jsonwire, that of requests with tensors (the Open
// Inference Protocol and TensorFlow Serving's form) in oipwire.
//
// # What fasthttp does not do for us
//
// It does not recover from panics, so the handler does. It cannot see a client
// leave, and its RequestCtx.Done closes at shutdown, so neither is used: a
// request's deadline is its own. It allocates a declared Content-Length at
// once, so bodies times connections are bounded, and large bodies together by a
// budget that is asked when the header has been read. Its built-in refusals are plain
// text, so ErrorHandler answers in our vocabulary and closes the connection,
// since what follows a malformed request must never be parsed out of its body;
// and the listener, not the server, keeps to the limit of connections. It takes
// folded headers and names with blanks, which Serve refuses.
//
// Who asks is found out from the header and the connection (access.go), before
// anything of the body is looked at, and before a large one is read.
//
// It does not flush the answers of pipelined requests while another one is
// buffered: an answer can wait for the slow request behind it. Who minds should
// not pipeline.
//
// The bytes of a request die with its handler. Nothing in this package or
// behind it keeps them: the handler waits for the answer, and whoever works on
// afterwards (a shadow, a run whose caller has left) owns copies. The body of a
// request with tensors is the exception: it is taken out of fasthttp, and freed by
// whoever reads it last.
package httpapi
