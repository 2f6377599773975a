package readout

// list is an array that grows in pieces, so that growing copies nothing and what it
// no longer needs is given back.
type list[T any] struct {
	pieces [][]T
	n      int
}

const (
	pieceBits = 12
	pieceSize = 1 << pieceBits
)

// at is an element below n. It stays where it is while the list is not truncated.
func (l *list[T]) at(i uint32) *T { return &l.pieces[i>>pieceBits][i%pieceSize] }

// add appends an element and returns its place.
func (l *list[T]) add(v T) uint32 {
	if l.n == len(l.pieces)*pieceSize {
		l.pieces = append(l.pieces, make([]T, pieceSize))
	}
	i := uint32(l.n)
	l.n++
	*l.at(i) = v
	return i
}

// truncate keeps the first n elements.
func (l *list[T]) truncate(n int) {
	l.n = n
	whole := (n + pieceSize - 1) / pieceSize
	clear(l.pieces[whole:])
	l.pieces = l.pieces[:whole]
}
