package abtest

import (
	"fmt"
	"testing"
	"time"
)

// The library knows more forms; of the ones that are read here it says the same.
func TestMomentsAreThoseOfTheLibrary(t *testing.T) {
	for _, year := range []int{0, 1, 4, 100, 400, 1600, 1899, 1900, 1969, 1970, 1972, 1999, 2000, 2023, 2024, 2026, 2100, 9999} {
		for month := range 14 {
			for _, day := range []int{0, 1, 15, 28, 29, 30, 31, 32} {
				for _, clock := range []string{"00:00:00Z", "23:59:59Z", "12:30:15+01:00", "00:00:00-12:45", "23:00:00+23:59", "24:00:00Z", "12:60:00Z", "12:00:60Z"} {
					text := fmt.Sprintf("%04d-%02d-%02dT%s", year, month, day, clock)
					want, wantErr := time.Parse(time.RFC3339, text)
					if got, err := parseMoment(text); (err == nil) != (wantErr == nil) || err == nil && got != want.Unix() {
						t.Errorf("%s: %d, %v; the library has %d, %v", text, got, err, want.Unix(), wantErr)
					}
				}
			}
		}
	}
}

func TestTextsThatAreNoMoments(t *testing.T) {
	for _, text := range []string{"", "now", "2027-01-31", "2027-01-31T08:00:00", "2027-01-31 08:00:00Z", "2027-01-31T08:00Z", "2027-01-31T08:00:00.5Z",
		"2027-01-31T08:00:00z", "2027-01-31T08:00:00+1:00", "2027-01-31T08:00:00+0100", "2027-01-31T08:00:00+24:00", "2027-01-31T08:00:00+01:60", "2027-1-31T08:00:00Z",
		"+027-01-31T08:00:00Z", "2027-01-31T08:00:00ZZ", "1769846400"} {
		if got, err := parseMoment(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}
