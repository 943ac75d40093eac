package bench

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"nanorpc/go/internal/shm"
)

func TestConfigValidate(t *testing.T) {
	valid := quick(t, Transports()...)
	if err := valid.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		says   string
		change func(*Config)
	}{
		{`unknown transport "pigeon": use some of limit, limit-copy, nanorpc, nanorpc-busy, nanorpc-none, nanorpc-loan, nanorpc-batch, uds, uds-batch, tcp`, func(c *Config) { c.Transports = []string{"uds", "pigeon"} }},
		{"no transport", func(c *Config) { c.Transports = nil }},
		{"uds named twice", func(c *Config) { c.Transports = []string{"uds", "uds"} }},
		{"no size", func(c *Config) { c.Sizes = nil }},
		{"size of -1 bytes", func(c *Config) { c.Sizes = []int{-1} }},
		{"size of 67108865 bytes: use 0 to 67108864", func(c *Config) { c.Sizes = []int{MaxSize + 1} }},
		{"size 8 named twice", func(c *Config) { c.Sizes = []int{8, 8} }},
		{"0 clients: use 1 to 64", func(c *Config) { c.Clients = 0 }},
		{"-1 idle connections: use 0 to 4000", func(c *Config) { c.Idle = -1 }},
		{"4001 idle connections", func(c *Config) { c.Idle = MaxIdle + 1 }},
		{"beside 2 clients", func(c *Config) { c.Idle, c.Clients = 1, 2 }},
		{"65 clients", func(c *Config) { c.Clients = MaxClients + 1 }},
		{"2 calls for 3 clients", func(c *Config) { c.Calls, c.Clients = 2, 3 }},
		{"0 calls in flight", func(c *Config) { c.Inflight = 0 }},
		{"1025 calls in flight", func(c *Config) { c.Inflight = MaxInflight + 1 }},
		{"0 rounds: use 1 to", func(c *Config) { c.Rounds = 0 }},
		{"-1 calls", func(c *Config) { c.Calls = -1 }},
		{"duration of 0 ms", func(c *Config) { c.Calls, c.DurationMS = 0, 0 }},
		{"rate of -1 calls a second: use up to", func(c *Config) { c.Rate = -1 }},
		{"rate of NaN", func(c *Config) { c.Rate = math.NaN() }},
		{"rate of 1e+09", func(c *Config) { c.Rate = 1e9 }},
		{"warm-up of -1 ms: use up to 60000", func(c *Config) { c.WarmUpMS = -1 }},
		{"warm-up of 60001 ms", func(c *Config) { c.WarmUpMS = 60_001 }},
		{`unknown spin policy "fast": use adaptive, busy or none`, func(c *Config) { c.Spin = "fast" }},
		{"no peer command", func(c *Config) { c.PeerCommand = nil }},
	} {
		c := valid
		test.change(&c)
		for _, err := range []error{c.Validate(), second(Start(t.Context(), c))} {
			if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %q", err, test.says)
			}
		}
	}
}

func second(_ *Run, err error) error { return err }

func TestParseConfig(t *testing.T) {
	c, err := ParseConfig(`{"transports":["limit"],"sizes":[8],"inflight":2,"duration_ms":300,"calls":0,"rounds":7,"spin":"busy","peer_command":["a","b"]}`)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.Transports, []string{"limit"}) || !slices.Equal(c.Sizes, []int{8}) || c.Inflight != 2 || c.Rounds != 7 || c.Spin != "busy" ||
		!slices.Equal(c.PeerCommand, []string{"a", "b"}) {
		t.Errorf("%+v", c)
	}
	if c, err = ParseConfig(`{"peer_command":["a"]}`); err != nil || c.Rounds != DefaultConfig().Rounds || c.Clients != 1 {
		t.Errorf("defaults: %+v, %v", c, err)
	}
	for _, bad := range []string{"", "[]", `{"peer_command":["a"],"colour":1}`, `{"peer_command":["a"],"rounds":"2"}`, `{}`} {
		if _, err := ParseConfig(bad); !errors.Is(err, ErrConfig) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   float64
	}{{[]float64{3}, 3}, {[]float64{4, 1}, 2.5}, {[]float64{9, 1, 5}, 5}, {[]float64{1, 2, 30, 4}, 3}} {
		if got := median(test.values); got != test.want {
			t.Errorf("median(%v) = %v", test.values, got)
		}
	}
}

func TestSample(t *testing.T) {
	h := newHistogram()
	for i := range int64(1000) {
		if err := h.RecordValue(i + 1); err != nil {
			t.Fatal(err)
		}
	}
	one := newSample(h, true, 1e9)
	if one.calls != 1000 || one.p50 != 500 || one.p99 != 990 || one.p999 != 999 || math.Abs(one.mean-500.5) > 1 || math.Abs(one.rate-1e9/one.mean) > 1 {
		t.Errorf("%+v", one)
	}
	if many := newSample(h, false, 5e8); many.rate != 2000 {
		t.Errorf("1000 calls in half a second: %v a second", many.rate)
	}
	if none := newSample(newHistogram(), true, 0); none.calls != 0 || none.rate != 0 {
		t.Errorf("%+v", none)
	}
	var r Result
	one.fair = 0.87654
	r.summarise([]sample{{errors: 2, firstError: "a"}, one, {errors: 1, firstError: "b"}})
	if r.Calls != 1000 || r.Errors != 3 || r.FirstError != "a" || r.P50NS != 500 || r.FairShareLow != 0.877 {
		t.Errorf("%+v", r)
	}
}

func TestDistribution(t *testing.T) {
	h := newHistogram()
	values := []int64{0, 1, 2, 3, 100, 101, 1e6, longestTime}
	for _, v := range values {
		if err := h.RecordValue(v); err != nil {
			t.Fatal(err)
		}
	}
	d := newDistribution(h)
	got := d.plus(d).plus(nil).buckets()
	total, below := int64(0), int64(0)
	for _, b := range got {
		if b.UpperNS <= below {
			t.Errorf("not ascending: %v", got)
		}
		below = b.UpperNS
		total += b.Count
	}
	if total != 2*int64(len(values)) || below < longestTime {
		t.Errorf("%d values up to %d: %v", total, below, got)
	}
	if got[0] != (Bucket{UpperNS: 1, Count: 4}) || got[1] != (Bucket{UpperNS: 2, Count: 2}) || got[2] != (Bucket{UpperNS: 3, Count: 2}) {
		t.Errorf("the shortest: %v", got)
	}
}

func TestPattern(t *testing.T) {
	for _, size := range []int{0, 1, 3, 8, 12, 16, 64} {
		p := newPattern(size, 1)
		seen := make(map[string]bool)
		for range 100 {
			request := p.next()
			if len(request) != size {
				t.Fatalf("size %d: %d bytes", size, len(request))
			}
			n := min(size, 2)
			seen[string(request[:n])+string(request[size-n:])] = true
		}
		if size > 0 && len(seen) < 90 {
			t.Errorf("size %d: %d different requests of 100", size, len(seen))
		}
	}
	if a, b := newPattern(64, 1), newPattern(64, 2); bytes.Equal(a.payload, b.payload) {
		t.Error("callers send the same")
	}
}

func TestLaneLayout(t *testing.T) {
	for _, payload := range []int{0, 1, 56, 57, 64, 100, 4096, 1 << 20} {
		l := laneLayout{Lanes: 3, Payload: payload}
		object, err := shm.Create(l.size(), l.size())
		if err != nil {
			t.Fatal(err)
		}
		segment, err := shm.Map(object, l.size())
		if err != nil {
			t.Fatal(err)
		}
		if err := object.Close(); err != nil {
			t.Fatal(err)
		}
		// Each part is written with a mark of its own; none may overwrite another.
		for i, lane := range l.lanes(segment) {
			*lane.requestWord, *lane.replyWord = uint32(i+1), uint32(i+101)
			copy(lane.request, bytes.Repeat([]byte{byte(i + 1)}, payload))
			copy(lane.reply, bytes.Repeat([]byte{byte(i + 101)}, payload))
		}
		for i, lane := range l.lanes(segment) {
			if *lane.requestWord != uint32(i+1) || *lane.replyWord != uint32(i+101) || len(lane.request) != payload ||
				bytes.Count(lane.request, []byte{byte(i + 1)}) != payload || bytes.Count(lane.reply, []byte{byte(i + 101)}) != payload {
				t.Errorf("payload %d: lane %d was overwritten", payload, i)
			}
		}
		if l.block()%blockAlign != 0 {
			t.Errorf("payload %d: blocks of %d bytes", payload, l.block())
		}
		if err := segment.Close(); err != nil {
			t.Fatal(err)
		}
	}
	p := Params{MaxSize: 64, Inflight: 2}
	for _, bad := range []laneLayout{{}, {Lanes: -1}, {Lanes: 3}, {Lanes: 1, Payload: 65}, {Lanes: 1, Payload: -1}} {
		if bad.validate(p) == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}

func TestCallsDoNotAllocate(t *testing.T) {
	for _, tr := range []Transport{limit{}, limit{copies: true}, uds, tcp} {
		for _, size := range []int{64, 100_000} {
			c := connectHere(t, tr, size)
			p := newPattern(payload(tr, size), 1)
			var reply []byte
			allocations := testing.AllocsPerRun(50, func() {
				var err error
				if reply, err = c.Call(reply, p.next()); err != nil {
					t.Fatal(err)
				}
			})
			if allocations > 0 {
				t.Errorf("%s, %d bytes: %v allocations a call", tr.Name(), size, allocations)
			}
		}
	}
}

// connectHere returns a caller of a peer that runs in this process.
func connectHere(t testing.TB, tr Transport, size int) Caller {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	p := Params{Directory: t.TempDir(), Spin: "adaptive", MaxSize: size, Inflight: 1}
	ready, served := make(chan struct{}), make(chan error, 1)
	go func() {
		served <- tr.Serve(ctx, p, func() error { close(ready); return nil })
	}()
	select {
	case <-ready:
	case err := <-served:
		t.Fatal(err)
	}
	s, err := tr.Connect(ctx, p, size, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := s.Close()
		cancel()
		if err := errors.Join(err, <-served); err != nil {
			t.Error(err)
		}
	})
	return s.Caller(0)
}

func TestClockCost(t *testing.T) {
	if cost := ClockCost(); cost <= 0 || cost > time.Millisecond {
		t.Errorf("reading the clock takes %v", cost)
	}
}
