package command

import (
	"fmt"
	"strconv"
)

// unit is what a number is shown in.
type unit struct {
	size float64
	name string
}

func timeUnit(ns float64) unit {
	switch {
	case ns < 999.5:
		return unit{1, "ns"}
	case ns < 999.5e3:
		return unit{1e3, "µs"}
	case ns < 999.5e6:
		return unit{1e6, "ms"}
	}
	return unit{1e9, "s"}
}

// digits shows x with three significant digits, and whole from 100 on.
func digits(x float64) string {
	switch {
	case x < 9.995:
		return strconv.FormatFloat(x, 'f', 2, 64)
	case x < 99.95:
		return strconv.FormatFloat(x, 'f', 1, 64)
	}
	return strconv.FormatFloat(x, 'f', 0, 64)
}

func timeText(ns float64) string {
	u := timeUnit(ns)
	if u.size == 1 {
		return fmt.Sprintf("%.0fns", ns)
	}
	return digits(ns/u.size) + u.name
}

// rangeText shows two times in the unit in which timeText shows a third.
func rangeText(low, high, beside float64) string {
	u := timeUnit(beside)
	if u.size == 1 {
		return fmt.Sprintf("%.0f-%.0f", low, high)
	}
	return digits(low/u.size) + "-" + digits(high/u.size)
}

func sizeText(bytes int) string {
	switch {
	case bytes >= 1<<20 && bytes%(1<<20) == 0:
		return fmt.Sprintf("%dMiB", bytes>>20)
	case bytes >= 1<<10 && bytes%(1<<10) == 0:
		return fmt.Sprintf("%dKiB", bytes>>10)
	}
	return fmt.Sprintf("%dB", bytes)
}

func countText(n float64) string {
	switch {
	case n >= 999.5e3:
		return digits(n/1e6) + "M"
	case n >= 999.5:
		return digits(n/1e3) + "k"
	}
	return digits(n)
}

func ratioText(x float64) string { return digits(x) + "x" }

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
