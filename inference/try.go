package inference

// Try makes a session of a model on the CPU and drops it: all that can be asked
// of a file about which nothing is known yet. It is run where a crash of ONNX
// Runtime does no harm.
func (r *Runtime) Try(data []byte) error {
	session, err := newSession(data, SessionOptions{Provider: CPU, Threads: 1})
	if err != nil {
		return err
	}
	return session.Destroy()
}
