package abtest

import (
	"errors"
	"math"
)

// The moments before and after all others, in seconds since 1970.
const (
	beginning = math.MinInt64
	forever   = math.MaxInt64
)

var errMoment = errors.New("is not a time such as 2027-01-31T08:00:00Z or 2027-01-31T08:00:00+01:00")

// parseMoment reads a time of RFC 3339 in whole seconds as seconds since 1970,
// UTC. It is its own code because nothing here may know what time it is, and the
// import of package time is how that would begin.
func parseMoment(s string) (int64, error) {
	const layout = "0000-00-00T00:00:00"
	if len(s) <= len(layout) || !shaped(s[:len(layout)], layout) {
		return 0, errMoment
	}
	offset, ok := parseOffset(s[len(layout):])
	year, month, day := digits(s[0:4]), digits(s[5:7]), digits(s[8:10])
	hour, minute, second := digits(s[11:13]), digits(s[14:16]), digits(s[17:19])
	if !ok || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59 {
		return 0, errMoment
	}
	return ((daysSince1970(year, month, day)*24+hour)*60+minute)*60 + second - offset, nil
}

// parseOffset reads Z or +hh:mm, as seconds east of UTC.
func parseOffset(s string) (int64, bool) {
	if s == "Z" {
		return 0, true
	}
	if !shaped(s, "+00:00") && !shaped(s, "-00:00") {
		return 0, false
	}
	hours, minutes := digits(s[1:3]), digits(s[4:6])
	seconds := (hours*60 + minutes) * 60
	if s[0] == '-' {
		seconds = -seconds
	}
	return seconds, hours < 24 && minutes < 60
}

// shaped says whether s has a digit for each 0 of layout and is equal otherwise.
func shaped(s, layout string) bool {
	if len(s) != len(layout) {
		return false
	}
	for i := range len(s) {
		if layout[i] == '0' && (s[i] < '0' || s[i] > '9') || layout[i] != '0' && s[i] != layout[i] {
			return false
		}
	}
	return true
}

func digits(s string) (n int64) {
	for i := range len(s) {
		n = n*10 + int64(s[i]-'0')
	}
	return n
}

func daysIn(year, month int64) int64 {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysSince1970 counts the days of the Gregorian calendar. The year is taken to
// begin in March, so that the leap day is its last.
func daysSince1970(year, month, day int64) int64 {
	if month < 3 {
		year, month = year-1, month+12
	}
	return 365*year + floorDiv(year, 4) - floorDiv(year, 100) + floorDiv(year, 400) + (153*(month-3)+2)/5 + day - 1 - 719468
}

func floorDiv(a, b int64) int64 {
	if a < 0 {
		return -((b - 1 - a) / b)
	}
	return a / b
}
