package strictyaml

import "strings"

// listText is a list at the top of a file, cut into the texts of its items.
type listText struct {
	key          string
	keyLine      int
	line, indent int // of the first dash
	items        []string
}

// cutItems takes the items of the lists at the top out of a file: what stands under
// a key alone on its line, one dash below the other. The rest keeps their lines
// empty, so that all others stay where they are. Not ok says that the file is
// written in another way than that.
func cutItems(text string) (rest string, lists []listText, ok bool) {
	var b strings.Builder
	var list *listText    // the one that the line is in
	key, keyLine := "", 0 // the one that stood alone on a line, with nothing after it so far
	from := 0             // of the item that the line is in
	end := func(at int) {
		if list != nil {
			list.items = append(list.items, text[from:at])
			b.WriteString(strings.Repeat("\n", strings.Count(text[from:at], "\n")))
			list = nil
		}
	}
	line := 0
	for at := 0; at < len(text); {
		next := len(text)
		if i := strings.IndexByte(text[at:], '\n'); i >= 0 {
			next = at + i + 1
		}
		line++
		content := strings.TrimLeft(text[at:next], " ")
		indent := next - at - len(content)
		blank := isBlank(content)
		// The parser may take what follows for the value of a dash with nothing behind it.
		dash := strings.HasPrefix(content, "- ") && !isBlank(strings.TrimLeft(content[1:], " "))
		switch {
		case list != nil && (blank || indent > list.indent):
		case list != nil && dash && indent == list.indent:
			list.items = append(list.items, text[from:at])
			b.WriteString(strings.Repeat("\n", strings.Count(text[from:at], "\n")))
			from = at
		case list != nil && indent > 0 || strings.HasPrefix(content, "-") && !dash:
			return "", nil, false
		case list == nil && key != "" && dash:
			lists = append(lists, listText{key: key, keyLine: keyLine, line: line, indent: indent})
			list, from, key = &lists[len(lists)-1], at, ""
		case !blank:
			end(at)
			if key = ""; indent == 0 {
				key, keyLine = loneKey(content), line
			}
		}
		if list == nil {
			b.WriteString(text[at:next])
		}
		at = next
	}
	end(len(text))
	return b.String(), lists, true
}

// isBlank says that nothing but a comment is left of a line.
func isBlank(content string) bool { return content == "" || content[0] == '\n' || content[0] == '#' }

// loneKey is the key of a line that has nothing else but a comment; empty where it
// is another line.
func loneKey(content string) string {
	key, after, colon := strings.Cut(content, ":")
	after = strings.TrimLeft(after, " ")
	if !colon || !plainText(key) || !isBlank(after) {
		return ""
	}
	return key
}
