package main

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/docker/go-units"
)

// number shows a count in at most 5 characters: whole below 100,000, else with three digits.
func number(n uint64) string {
	if n < 100_000 {
		return strconv.FormatUint(n, 10)
	}
	return threeDigits(float64(n), 1000, []string{"", "k", "M", "G", "T", "P", "E"})
}

// rate shows a number of calls per second: a small one with one decimal, so that few are not none.
func rate(perSecond float64) string {
	if perSecond == 0 || perSecond >= 99.95 {
		return number(uint64(math.Round(perSecond)))
	}
	return strconv.FormatFloat(perSecond, 'f', 1, 64)
}

// size shows a number of bytes in at most 7 characters.
func size(bytes uint64) string {
	return threeDigits(float64(bytes), 1024, []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"})
}

func threeDigits(x, base float64, names []string) string {
	if text := units.CustomSize("%.3g%s", x, base, names); !strings.Contains(text, "e+") {
		return text
	}
	return units.CustomSize("%.0f%s", x, base, names) // of 1023 KiB, %g makes 1.02e+03
}

// period shows a time of a histogram, whose buckets are a quarter wide, with two digits.
func period(d time.Duration) string {
	unit := time.Duration(1)
	for d/unit >= 100 {
		unit *= 10
	}
	return d.Round(unit).String()
}

// uptime shows how long a server has run: to the second on its first day, as one may wait for it to change.
func uptime(d time.Duration) string {
	if d < 24*time.Hour {
		return d.Truncate(time.Second).String()
	}
	return units.HumanDuration(d)
}

// printable shows a name of any bytes, as a server may have given itself or a method: without what a terminal obeys.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

// shorten leaves out the middle of a text that is longer than so many characters: names differ at their ends.
func shorten(text string, length int) string {
	runes := []rune(text)
	if len(runes) <= length {
		return text
	}
	tail := max(length-1, 0) / 2
	return string(runes[:max(length-1, 0)-tail]) + "…" + string(runes[len(runes)-tail:])
}
