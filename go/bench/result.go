package bench

import (
	"cmp"
	"math"
	"slices"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// What histograms hold, in nanoseconds.
const (
	shortestTime      = 1
	longestTime       = 60_000_000_000
	significantDigits = 3
)

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(shortestTime, longestTime, significantDigits)
}

// Result is what a case has come to. Times and rates are medians over its rounds, counts are sums.
type Result struct {
	Transport string  `json:"transport"`
	SizeBytes int     `json:"size_bytes"`
	Clients   int     `json:"clients"`        // processes that called at once
	Inflight  int     `json:"inflight"`       // in each client
	Rate      float64 `json:"rate,omitempty"` // calls a second that were to be made; 0: a closed loop
	Calls     int64   `json:"calls"`          // that were answered, rightly or not
	MeanNS    float64 `json:"mean_ns"`
	P50NS     float64 `json:"p50_ns"`
	P99NS     float64 `json:"p99_ns"`
	P999NS    float64 `json:"p999_ns"`
	CallsPerS float64 `json:"calls_per_s"`
	Errors    int64   `json:"errors"` // calls that failed and wrong replies

	// CPU time divided by the calls: of the process that calls, or of all that do together, and of the server, but for what waiting for a call to be due took. The
	// kernel's account lags some milliseconds behind: the figures of a short round are rough, and may be 0.
	ClientCPUNS float64 `json:"client_cpu_ns"`
	ServerCPUNS float64 `json:"server_cpu_ns"`

	// FairShareLow is the slowest client's calls as a part of its fair share, which is all calls divided by Clients: 1 if all are equally fast.
	FairShareLow float64 `json:"fair_share_low"`

	Rounds     int     `json:"rounds"`      // finished
	P50LowNS   float64 `json:"p50_low_ns"`  // of the round with the lowest p50
	P50HighNS  float64 `json:"p50_high_ns"` // of the round with the highest
	FirstError string  `json:"first_error,omitempty"`
}

// sample is what a case has come to in one round.
type sample struct {
	calls, errors  int64
	firstError     string
	mean           float64
	p50, p99, p999 float64
	rate           float64
	fair           float64 // see Result.FairShareLow
	cpu            cpuTime // of all calls
	times          distribution
}

// newSample summarises a round's times, errors aside. alone says that one caller made them without a pause, wall how long the round took, in ns.
func newSample(h *hdrhistogram.Histogram, alone bool, wall int64) sample {
	percentiles := h.ValueAtPercentilesSlice([]float64{50, 99, 99.9})
	s := sample{
		calls: h.TotalCount(),
		mean:  h.Mean(),
		p50:   float64(percentiles[0]),
		p99:   float64(percentiles[1]),
		p999:  float64(percentiles[2]),
		times: newDistribution(h),
	}
	switch {
	case alone && s.mean > 0:
		s.rate = 1e9 / s.mean
	case !alone && wall > 0:
		s.rate = float64(s.calls) * 1e9 / float64(wall)
	}
	return s
}

// summarise sets the figures of r to those of its rounds. A round without any answer has no times to count.
func (r *Result) summarise(samples []sample) {
	var timed []sample
	for _, s := range samples {
		r.Calls += s.calls
		r.Errors += s.errors
		r.FirstError = cmp.Or(r.FirstError, s.firstError)
		if s.calls > 0 {
			timed = append(timed, s)
		}
	}
	if len(timed) == 0 {
		return
	}
	of := func(figure func(sample) float64) []float64 { return figures(timed, figure) }
	p50 := of(func(s sample) float64 { return s.p50 })
	r.P50NS, r.P50LowNS, r.P50HighNS = median(p50), slices.Min(p50), slices.Max(p50)
	r.P99NS = median(of(func(s sample) float64 { return s.p99 }))
	r.P999NS = median(of(func(s sample) float64 { return s.p999 }))
	r.MeanNS = median(of(func(s sample) float64 { return s.mean }))
	r.CallsPerS = median(of(func(s sample) float64 { return s.rate }))
	r.FairShareLow = math.Round(middle(of(func(s sample) float64 { return s.fair }))*1000) / 1000
	if measured := slices.DeleteFunc(timed, func(s sample) bool { return s.cpu == cpuTime{} }); len(measured) > 0 { // all but one in progress
		r.ClientCPUNS = median(figures(measured, func(s sample) float64 { return float64(s.cpu.client) / float64(s.calls) }))
		r.ServerCPUNS = median(figures(measured, func(s sample) float64 { return float64(s.cpu.server) / float64(s.calls) }))
	}
}

// figures returns one of each sample.
func figures(samples []sample, figure func(sample) float64) []float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = figure(s)
	}
	return values
}

// median returns the median of at least one value, to a tenth.
func median(values []float64) float64 { return math.Round(middle(values)*10) / 10 }

// middle returns the median of at least one value, exactly.
func middle(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// bucketsPerOctave makes the buckets of a distribution 4.4 % wide.
const bucketsPerOctave = 16

// distribution counts times: element k those up to 2^(k/bucketsPerOctave) ns and above that of k-1.
type distribution []int64

func newDistribution(h *hdrhistogram.Histogram) distribution {
	var d distribution
	for _, bar := range h.Distribution() {
		if bar.Count == 0 {
			continue
		}
		k := int(math.Ceil(bucketsPerOctave * math.Log2(float64(max(bar.To, 1)))))
		for len(d) <= k {
			d = append(d, 0)
		}
		d[k] += bar.Count
	}
	return d
}

// Bucket is how many calls took at most a time, and longer than the bucket before.
type Bucket struct {
	UpperNS, Count int64
}

// plus returns the sum of two distributions, perhaps in the memory of the longer if the other is empty.
func (d distribution) plus(other distribution) distribution {
	if len(d) < len(other) {
		d, other = other, d
	}
	if len(other) == 0 {
		return d
	}
	sum := slices.Clone(d)
	for k, n := range other {
		sum[k] += n
	}
	return sum
}

// buckets returns those of the distribution that are not empty.
func (d distribution) buckets() []Bucket {
	result := []Bucket{}
	for k, n := range d {
		if n > 0 {
			result = append(result, Bucket{UpperNS: int64(math.Exp2(float64(k) / bucketsPerOctave)), Count: n})
		}
	}
	return result
}
