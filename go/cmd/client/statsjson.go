package main

import (
	"encoding/json"
	"io"

	"nanorpc/go/nanorpc"
)

// statsJSON is a print of -json. Its keys are those of nanorpc.stats in docs/protocol.md, and those that are pointers here: null where there is nothing to say.
type statsJSON struct {
	Service     string           `json:"service"`
	PID         int              `json:"pid"`
	UID         int              `json:"uid"`
	UptimeNS    int64            `json:"uptime_ns"`
	IntervalNS  *int64           `json:"interval_ns"` // since the print before
	Methods     []methodJSON     `json:"methods"`
	Connected   int              `json:"connected"`
	Connections []connectionJSON `json:"connections"`
}

type countsJSON struct {
	Calls        uint64      `json:"calls"`
	Errors       uint64      `json:"errors"`
	InFlight     int         `json:"in_flight"`
	RequestBytes uint64      `json:"request_bytes"`
	ReplyBytes   uint64      `json:"reply_bytes"`
	CallsPerS    *float64    `json:"calls_per_s"` // since the print before
	P50NS        *int64      `json:"p50_ns"`      // of a watch, since the print before
	P99NS        *int64      `json:"p99_ns"`
	Times        [][2]uint64 `json:"times"` // since the server's start
}

type methodJSON struct {
	Name string `json:"name"`
	countsJSON
}

type connectionJSON struct {
	ID    int64 `json:"id"`
	PID   int   `json:"pid"`
	Own   bool  `json:"own"` // this command's
	AgeNS int64 `json:"age_ns"`
	countsJSON
	Refused    uint64 `json:"refused"`
	SpinsPaid  uint64 `json:"spins_paid"`
	Sleeps     uint64 `json:"sleeps"`
	Memory     int64  `json:"memory"`
	ReplyUsed  int64  `json:"reply_used"`
	ReplyArena int64  `json:"reply_arena"`
}

// printJSON prints all that the server says, as one line.
func printJSON(out io.Writer, s sample) error {
	object := statsJSON{
		Service: s.now.Service, PID: s.now.PID, UID: s.now.UID, UptimeNS: int64(s.now.Uptime), Connected: s.now.Connected,
		Methods: []methodJSON{}, Connections: []connectionJSON{},
	}
	if ns := int64(s.interval()); ns > 0 {
		object.IntervalNS = &ns
	}
	for _, m := range s.now.Methods {
		object.Methods = append(object.Methods, methodJSON{m.Name, newCountsJSON(m.Counts, s.method(m), s.watch)})
	}
	for _, c := range s.now.Connections {
		object.Connections = append(object.Connections, connectionJSON{
			ID: c.ID, PID: c.PID, Own: c.PID == s.self, AgeNS: int64(c.Age), countsJSON: newCountsJSON(c.Counts, s.connection(c), s.watch),
			Refused: c.Refused, SpinsPaid: c.SpinsPaid, Sleeps: c.Sleeps, Memory: c.Memory, ReplyUsed: c.ReplyUsed, ReplyArena: c.ReplyArena,
		})
	}
	return json.NewEncoder(out).Encode(object)
}

func newCountsJSON(c nanorpc.Counts, r recent, rate bool) countsJSON {
	object := countsJSON{
		Calls: c.Calls, Errors: c.Errors, InFlight: c.InFlight, RequestBytes: c.RequestBytes, ReplyBytes: c.ReplyBytes, Times: [][2]uint64{},
	}
	if rate && r.known {
		object.CallsPerS = &r.rate
	}
	if len(r.times) > 0 {
		p50, p99 := int64(r.times.Percentile(50)), int64(r.times.Percentile(99))
		object.P50NS, object.P99NS = &p50, &p99
	}
	for _, b := range c.Times {
		object.Times = append(object.Times, [2]uint64{uint64(b.Below), b.Calls})
	}
	return object
}
