package oipwire

import (
	"math"
	"time"

	"hotpath/router/httpapi/jsonscan"
)

// parameters reads the object at i, which lies depth containers deep, and hands
// each member to read, which says whether it knows the name. Others are passed
// over: the protocol leaves it to servers which ones they heed.
func (r *Request) parameters(i, depth int, read func(i int, key []byte) (next int, known bool, err *Error)) (next int, err *Error) {
	if r.at(i) != '{' {
		return i, r.refuse(i, []byte("parameters"), "must be an object")
	}
	names := r.scan.OpenNames()
	i, more := r.scan.Open(i, '}')
	for more {
		var key []byte
		if key, i, err = r.key(i, &names); err != nil {
			return i, err
		}
		at, known := i, false
		if i, known, err = read(i, key); err != nil {
			return i, err
		}
		if !known {
			if _, _, i, err = r.scan.Value(at, depth+1); err != nil {
				return i, err
			}
		}
		if i, more, err = r.scan.More(i, '}'); err != nil {
			return i, err
		}
	}
	r.scan.CloseNames(&names)
	return i, nil
}

// requestParameters reads those of the request.
func (r *Request) requestParameters(i, depth int) (next int, err *Error) {
	return r.parameters(i, depth, func(i int, key []byte) (next int, known bool, err *Error) {
		switch string(key) {
		case "timeout":
			i, err = r.timeout(i, key)
		case "user_id":
			r.UserID, i, err = r.id(i, key)
		case "binary_data_output":
			r.BinaryOutput, i, err = r.bool(i, key)
		case "sequence_start", "sequence_end", "sequence_id":
			i, err = r.sequence(i, depth, key)
		default:
			return r.unit(i, depth, key)
		}
		return i, true, err
	})
}

// timeout reads a number of microseconds; 0 stands for none.
func (r *Request) timeout(i int, key []byte) (next int, err *Error) {
	n, i, err := r.size(i, key)
	if err == nil {
		r.Timeout = time.Duration(min(n, math.MaxInt64/int64(time.Microsecond))) * time.Microsecond
	}
	return i, err
}

// sequence refuses what a model with state would need. Clients send the values
// that say "no sequence" too.
func (r *Request) sequence(i, depth int, key []byte) (next int, err *Error) {
	at := i
	raw, _, i, err := r.scan.Value(i, depth+1)
	if err != nil {
		return i, err
	}
	switch string(raw) {
	case "0", "false", "":
		return i, nil
	}
	return i, r.refuse(at, key, "asks for a sequence: models with state are not served; leave it out")
}

// bool reads a member that is true or false.
func (r *Request) bool(i int, key []byte) (v bool, next int, err *Error) {
	at := i
	raw, _, i, err := r.scan.Value(i, dataDepth)
	switch {
	case err != nil:
	case r.at(at) == 't':
		return true, i, nil
	case r.at(at) != 'f':
		err = r.refuse(at, key, "must be true or false, got ", jsonscan.Shown(raw))
	}
	return false, i, err
}

// sharedMemory refuses a tensor that lies in memory of the client's.
func (r *Request) sharedMemory(i int, key []byte) *Error {
	return r.refuse(i, key, "is not supported: send the tensor in the request, and take it from the answer")
}

// inputParameters reads those of an input.
func (r *Request) inputParameters(i int, p *inputParts) (next int, err *Error) {
	return r.parameters(i, 3, func(i int, key []byte) (next int, known bool, err *Error) {
		switch string(key) {
		case "binary_data_size":
			var n int64
			n, i, err = r.size(i, key)
			p.binary = int(n)
		case "shared_memory_region":
			err = r.sharedMemory(i, key)
		default:
			return i, false, nil
		}
		return i, true, err
	})
}

// outputParameters reads those of an output that is asked for.
func (r *Request) outputParameters(i int, o *Output) (next int, err *Error) {
	return r.parameters(i, 3, func(i int, key []byte) (next int, known bool, err *Error) {
		switch string(key) {
		case "binary_data":
			var v bool
			v, i, err = r.bool(i, key)
			if o.Binary = No; v {
				o.Binary = Yes
			}
		case "classification":
			var n int64
			n, i, err = r.size(i, key)
			o.Classes = int(min(n, math.MaxInt32))
		case "shared_memory_region":
			err = r.sharedMemory(i, key)
		default:
			return i, false, nil
		}
		return i, true, err
	})
}
