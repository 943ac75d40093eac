//go:build failpoints

package failpoint

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Enabled says whether the program was built with the tag failpoints.
const Enabled = true

// settings are what the environment says. They do not change.
var settings = mustRead(os.Getenv("NANORPC_FAILPOINT"), os.Getenv("NANORPC_CHANCE"), os.Getenv("NANORPC_GENERATION"))

type setting struct {
	point      Point // at which to die; points: none
	hits       int64 // the how manieth time
	chance     bool
	generation uint32
}

var hits atomic.Int64 // of the point at which to die

// mustRead reads the environment. A test with a mistake in it is to fail at once.
func mustRead(point, chance, generation string) setting {
	s, err := read(point, chance, generation)
	if err != nil {
		fmt.Fprintln(os.Stderr, "failpoint:", err)
		os.Exit(2)
	}
	return s
}

func read(point, chance, generation string) (s setting, err error) {
	s = setting{point: points, hits: 1, chance: chance != ""}
	if name, n, ok := strings.Cut(point, ":"); point != "" {
		if s.point = Point(slices.Index(names[:], name)); s.point >= points {
			return s, fmt.Errorf("no point is called %q", name)
		}
		if ok {
			if s.hits, err = strconv.ParseInt(n, 10, 64); err != nil {
				return s, err
			}
		}
	}
	if generation != "" {
		n, err := strconv.ParseUint(generation, 0, 24)
		if err != nil {
			return s, err
		}
		s.generation = uint32(n)
	}
	return s, nil
}

// Hit is called where the point is.
func Hit(p Point) {
	if p == settings.point && hits.Add(1) == settings.hits {
		die(p)
	}
	if settings.chance {
		pause()
	}
}

// die does not return.
func die(p Point) {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	_, _ = unix.Write(2, fmt.Appendf(nil, "%s %d\n", p, now.Nano()))
	_ = unix.Kill(os.Getpid(), unix.SIGKILL)
	select {}
}

// pause makes the moments longer in which two ends can come between each other, now and then.
func pause() {
	switch n := rand.Uint32(); {
	case n%4096 == 0:
		time.Sleep(time.Duration(n>>12%64) * time.Microsecond)
	case n%128 == 0:
		runtime.Gosched()
	case n%64 == 0:
		for end := time.Now().Add(time.Duration(n>>12%4096) * time.Nanosecond); time.Now().Before(end); {
		}
	}
}

// Spin returns for how many ns to spin where it would be for length: chance decides, for all orders of magnitude.
func Spin(length int64) int64 {
	if !settings.chance || length == 0 {
		return length
	}
	n := rand.Uint64()
	return int64(n>>8) % (length + 1) >> (n % 16)
}

// Generation returns the generation of a slot that has had no call.
func Generation() uint32 { return settings.generation }
