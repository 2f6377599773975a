package jsonwire

import (
	"fmt"
	"strings"
)

// hostileBodies are bodies of the largest size that the server reads, made to
// cost much; they are refused or accepted, but quickly.
func hostileBodies() map[string][]byte {
	const size = 256 << 10
	repeat := func(head, unit, tail string) []byte {
		n := (size - len(head) - len(tail)) / len(unit)
		return []byte(head + strings.Repeat(unit, n) + tail)
	}
	var names strings.Builder
	names.WriteString(`{"user_id":"u","features":{`)
	for i := range 4096 {
		fmt.Fprintf(&names, `"feature%d":1,`, i)
	}
	names.WriteString(`"last":1}}`)
	return map[string][]byte{
		"brackets":  repeat(`{"user_id":"u","features":{"a":`, `[`, ``),
		"spaces":    repeat(`{"user_id":"u"`, ` `, `}`),
		"elements":  repeat(`{"user_id":"u","features":{"a":[1`, `,1`, `]}}`),
		"backslash": repeat(`{"user_id":"u","features":{"a":"`, `\\`, `"}}`),
		"unicode":   repeat(`{"user_id":"u","features":{"a":"`, `\ud83d\ude00`, `"}}`),
		"digits":    repeat(`{"user_id":"u","features":{"a":1`, `0`, `}}`),
		"names":     []byte(names.String()),
		"objects":   repeat(`{"user_id":"u","features":{"a":[0`, `,{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1}`, `]}}`),
	}
}
