package main

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"nanorpc/go/nanorpc"
)

// The widest figures there are fit 80 columns, and a name of any bytes does no harm.
func TestTablesFit(t *testing.T) {
	const many = math.MaxUint64 / 1024 * 1023
	most := nanorpc.Counts{
		Calls: many, Errors: many, InFlight: 25600, RequestBytes: many, ReplyBytes: many,
		Times: nanorpc.Times{{Below: 8, Calls: 2}, {Below: 1792, Calls: many / 2}, {Below: 5 << 38, Calls: many / 3}},
	}
	s := sample{
		now: &nanorpc.Stats{
			Service: strings.Repeat("s", 64), PID: 4194304, Uptime: 500 * 24 * time.Hour, Connected: 100_000,
			Methods: []nanorpc.MethodStats{
				{Name: "nanorpc.stats", Counts: most},
				{Name: "package.of.some." + strings.Repeat("long", 50) + ".name", Counts: most},
				{Name: "\x1b[2J\tä\n\xff", Counts: most},
			},
			Connections: []nanorpc.ConnectionStats{
				{ID: 1234567, PID: 4194304, Age: 1, Counts: most, SpinsPaid: many, Sleeps: many, Memory: 999 << 20, ReplyUsed: 1023 << 20, ReplyArena: 1 << 40},
			},
		},
		self: 4194304,
	}
	for _, test := range []struct {
		watch  bool
		before *nanorpc.Stats
	}{{false, nil}, {true, nil}, {true, &nanorpc.Stats{Uptime: s.now.Uptime - 22*time.Minute}}} {
		s.watch, s.before = test.watch, test.before
		text := tables(s)
		if tooWide(text) || !strings.Contains(text, "\n1234567* ") || !strings.Contains(text, "…") || strings.ContainsAny(text, "\x1b\t") {
			t.Errorf("%+v\n%s", test, text)
		}
		if !strings.Contains(text, "99999 connections with fewer calls or none") {
			t.Errorf("%+v\n%s", test, text)
		}
	}
}

// What is recent is what came since the print before; where that is not known, no figure is made up.
func TestRecent(t *testing.T) {
	before := &nanorpc.Stats{
		Uptime:  10 * time.Second,
		Methods: []nanorpc.MethodStats{{Name: "a", Counts: nanorpc.Counts{Calls: 100, Times: nanorpc.Times{{Below: 8, Calls: 90}, {Below: 16, Calls: 10}}}}},
		Connections: []nanorpc.ConnectionStats{
			{ID: 1, Counts: nanorpc.Counts{Calls: 100}},
		},
	}
	now := &nanorpc.Stats{Uptime: 12 * time.Second}
	s := sample{watch: true, before: before, now: now}
	a := nanorpc.MethodStats{Name: "a", Counts: nanorpc.Counts{Calls: 130, Times: nanorpc.Times{{Below: 8, Calls: 90}, {Below: 16, Calls: 15}, {Below: 32, Calls: 25}}}}
	if got, want := s.method(a), (recent{true, 15, nanorpc.Times{{Below: 16, Calls: 5}, {Below: 32, Calls: 25}}}); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	counts := nanorpc.Counts{Calls: 106}
	for _, test := range []struct {
		connection nanorpc.ConnectionStats
		want       recent
	}{
		{nanorpc.ConnectionStats{ID: 1, Age: time.Hour, Counts: counts}, recent{known: true, rate: 3}},
		{nanorpc.ConnectionStats{ID: 2, Age: time.Second, Counts: counts}, recent{known: true, rate: 53}}, // new
		{nanorpc.ConnectionStats{ID: 3, Age: time.Hour, Counts: counts}, recent{}},                        // had too few calls to be listed
	} {
		if got := s.connection(test.connection); !reflect.DeepEqual(got, test.want) {
			t.Errorf("connection %d: %+v", test.connection.ID, got)
		}
	}
	if got := (sample{watch: true, now: now}).method(a); got.known || got.times != nil {
		t.Errorf("the first print of a watch: %+v", got)
	}
	if got := (sample{now: now}).method(a); !got.known || len(got.times) != 3 {
		t.Errorf("the only print: %+v", got)
	}
}

func TestFit(t *testing.T) {
	const text = "1\n2\n3\n4\n"
	for height, want := range map[int]string{
		0: text, 6: text, 5: text,
		4: "1\n2\n2 more lines: make the window taller\n",
		3: "1\n3 more lines: make the window taller\n",
		1: "1\n3 more lines: make the window taller\n",
	} {
		if got := fit(text, height); got != want {
			t.Errorf("%d lines: %q", height, got)
		}
	}
}
