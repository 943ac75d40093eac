package main

import (
	"math"
	"testing"
	"time"
)

func TestHuman(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{number(0), "0"},
		{number(99_999), "99999"},
		{number(100_000), "100k"},
		{number(999_600), "1000k"},
		{number(12_345_678), "12.3M"},
		{number(math.MaxUint64), "18.4E"},
		{rate(0), "0"},
		{rate(0.01), "0.0"},
		{rate(0.5), "0.5"},
		{rate(99.94), "99.9"},
		{rate(99.96), "100"},
		{rate(1_234_567), "1.23M"},
		{size(0), "0B"},
		{size(1023), "1023B"},
		{size(8192), "8KiB"},
		{size(1023 << 10), "1023KiB"},
		{size(5_000_000), "4.77MiB"},
		{size(math.MaxUint64), "16EiB"},
		{period(0), "0s"},
		{period(8), "8ns"},
		{period(112), "110ns"},
		{period(1792), "1.8µs"},
		{period(999_999), "1ms"},
		{period(20 * time.Millisecond), "20ms"},
		{period(80 * time.Second), "1m20s"},
		{uptime(61500 * time.Millisecond), "1m1s"},
		{uptime(23*time.Hour + time.Minute), "23h1m0s"},
		{uptime(72 * time.Hour), "3 days"},
		{printable("a b\x1b[31m\tü\xff\u202e"), "a b\ufffd[31m\ufffdü\ufffd\ufffd"},
		{shorten("sieben", 6), "sieben"},
		{shorten("siebenundzwanzig", 7), "sie…zig"},
		{shorten("ääöö", 3), "ä…ö"},
		{shorten("abc", 1), "…"},
		{shorten("abc", -1), "…"},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}
