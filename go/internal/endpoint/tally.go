package endpoint

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// tally counts calls. It is safe for concurrent use. The zero value is ready to use.
type tally struct {
	calls        atomic.Uint64 // answered
	errors       atomic.Uint64 // of those, not with a reply
	requestBytes atomic.Uint64
	replyBytes   atomic.Uint64
	times        times
}

// count is what a tally is to be given. It belongs to one goroutine.
type count struct {
	calls, errors, requestBytes, replyBytes uint64
}

// note counts a call that has been answered.
func (n *count) note(c *Call) {
	n.calls++
	if c.failed {
		n.errors++
	}
	n.requestBytes += uint64(c.Length)
	n.replyBytes += uint64(c.Replied)
}

// add adds up.
func (n *count) add(other count) {
	n.calls += other.calls
	n.errors += other.errors
	n.requestBytes += other.requestBytes
	n.replyBytes += other.replyBytes
}

func (t *tally) add(n count) {
	t.calls.Add(n.calls)
	if n.errors != 0 {
		t.errors.Add(n.errors)
	}
	t.requestBytes.Add(n.requestBytes)
	t.replyBytes.Add(n.replyBytes)
}

const (
	// Times are counted in bucketsPerOctave buckets for each power of two of nanoseconds, so to a quarter or better.
	bucketBits       = 2
	bucketsPerOctave = 1 << bucketBits
	// The last bucket holds all that is longer than 2^40 ns, 18 minutes.
	timeBuckets = (40-bucketBits+1)*bucketsPerOctave + 1
)

// times is a histogram with logarithmic buckets, as HDR histograms have them, of a size to keep one for each connection.
type times [timeBuckets]atomic.Uint64

// add counts n calls of the same duration.
func (t *times) add(d time.Duration, n uint64) { t[bucket(max(int64(d), 0))].Add(n) }

// bucket returns the index of the bucket for a time in ns.
func bucket(ns int64) int {
	octave := bits.Len64(uint64(ns)) - 1 - bucketBits
	if octave <= 0 {
		return int(ns)
	}
	return min(octave*bucketsPerOctave+int(ns>>octave), timeBuckets-1)
}

// bucketEnd returns the first time in ns that is too long for a bucket.
func bucketEnd(i int) int64 {
	i++
	if i < 2*bucketsPerOctave {
		return int64(i)
	}
	octave := i/bucketsPerOctave - 1
	return int64(bucketsPerOctave+i%bucketsPerOctave) << octave
}

// read returns the buckets that are not empty: pairs of end, in ns, and number of calls.
func (t *times) read() [][2]int64 {
	pairs := [][2]int64{}
	for i := range t {
		if n := t[i].Load(); n != 0 {
			pairs = append(pairs, [2]int64{bucketEnd(i), int64(n)})
		}
	}
	return pairs
}
