package jsonwire

import "hotpath/models"

// object reads the object at i, which lies depth objects and arrays deep. member
// knows the bit of each member that known lists, and read takes their values; seen
// has the bits of those that were there.
func (d *Decoder) object(i, depth int, known string, member func(name []byte) int, read func(m, i int, key []byte) (int, *Error)) (seen, next int, err *Error) {
	unknown := d.OpenNames()
	i, more := d.Open(i, '}')
	for more {
		at := i
		var key []byte
		if key, i, err = d.Key(i); err != nil {
			return seen, i, err
		}
		m := member(key)
		if m == 0 {
			i, err = d.unknown(at, i, depth, key, &unknown, known)
		} else if seen&m != 0 {
			err = d.Duplicate(at, key)
		} else {
			i, err = read(m, i, key)
		}
		if err != nil {
			return seen, i, err
		}
		seen |= m
		if i, more, err = d.More(i, '}'); err != nil {
			return seen, i, err
		}
	}
	d.CloseNames(&unknown)
	return seen, i, nil
}

// list reads the list at i. Each element has faults of its own: read takes it, and
// keep what is wrong with it. what names the elements.
func (d *Decoder) list(i int, key []byte, what string, read func(i int) (int, *Error), keep func(fault *Error)) (next int, err *Error) {
	if i >= len(d.Body) || d.Body[i] != '[' {
		_, kind, next, err := d.Value(i, 1)
		if err == nil {
			d.refuse(i, key, "must be a list of ", what, ", got ", kind.String())
		}
		return next, err
	}
	whole := d.fault
	i, more := d.Open(i, ']')
	for more {
		d.index++
		if d.index < d.limits.Instances {
			d.fault = nil
			i, err = read(i)
			keep(d.fault)
			d.fault = whole
		} else {
			d.refuse(i, key, "holds more than ", itoa(d.limits.Instances), " ", what, ": send them in several batches")
			whole = d.fault
			_, _, i, err = d.Value(i, 2)
		}
		if err != nil {
			return i, err
		}
		if i, more, err = d.More(i, ']'); err != nil {
			return i, err
		}
	}
	d.index = -1
	return i, nil
}

// element reads one element of a list that must be an object, with read.
func (d *Decoder) element(i int, what string, read func(i int) (int, *Error)) (next int, err *Error) {
	if i < len(d.Body) && d.Body[i] == '{' {
		return read(i)
	}
	var kind models.Kind
	at := i
	if _, kind, i, err = d.Value(i, 2); err == nil {
		d.refuse(at, nil, what, " must be an object, got ", kind.String())
	}
	return i, err
}

// body reads what is an object as a whole, with read.
func (d *Decoder) body(read func(i int) (int, *Error)) *Error {
	i, err := d.start()
	if err == nil && d.fault == nil {
		i, err = read(i)
	}
	if err == nil {
		err = d.Finish(i)
	}
	if err == nil {
		err = d.fault
	}
	return err
}

// bool reads a member that is true or false.
func (d *Decoder) bool(i, depth int, key []byte) (v bool, next int, err *Error) {
	at := i
	raw, kind, i, err := d.Value(i, depth)
	if err == nil && kind != models.KindBool {
		d.refuse(at, key, "must be true or false, got ", kind.String())
		return false, i, nil
	}
	return err == nil && raw[0] == 't', i, err
}
