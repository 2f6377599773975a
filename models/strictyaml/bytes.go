package strictyaml

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Bytes is a size. In a file it is a plain number of bytes or one with a unit:
// 262144, 256KiB, 512MB, 1GiB.
type Bytes int64

// The larger units come first among those of the same kind, so that writing
// finds the shortest form.
var byteUnits = []struct {
	name string
	size int64
}{
	{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"KB", 1e3}, {"B", 1},
}

// String is the exact size with the largest binary unit that divides it.
func (b Bytes) String() string {
	for _, u := range byteUnits[:3] {
		if b != 0 && int64(b)%u.size == 0 {
			return strconv.FormatInt(int64(b)/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// MarshalText writes the size as String does.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText reads a whole, non-negative size with or without a unit.
func (b *Bytes) UnmarshalText(text []byte) error {
	digits, size := string(text), int64(1)
	for _, u := range byteUnits {
		if rest, ok := strings.CutSuffix(digits, u.name); ok {
			digits, size = strings.TrimSpace(rest), u.size
			break
		}
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil {
		return fmt.Errorf("want a size such as 262144, 256KiB or 512MB, got %q", text)
	}
	if int64(n) > math.MaxInt64/size {
		return fmt.Errorf("size %s is too large", text)
	}
	*b = Bytes(int64(n) * size)
	return nil
}
