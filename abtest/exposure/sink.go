package exposure

// Sink stores records. One goroutine at a time calls it.
type Sink interface {
	// Name tells the sinks of a log apart, in metrics and messages.
	Name() string
	// Write stores whole lines of JSON, which are read until it returns. After an
	// error it is called again with the same lines: it takes all of them or none, as
	// well as it can.
	Write(batch []byte) error
	// Close ends it. It is called once, and no Write follows.
	Close() error
}
