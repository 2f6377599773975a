// Package jsonscantest helps to test what reads JSON by package jsonscan.
package jsonscantest

// Depth is how deep arrays and objects are nested in a body, found by other means
// than the scanner's: it only counts brackets outside of strings.
func Depth(body []byte) (deepest int) {
	open, inString := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '[' || c == '{':
			open++
			deepest = max(deepest, open)
		case c == ']' || c == '}':
			open--
		}
	}
	return deepest
}
