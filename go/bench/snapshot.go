package bench

import (
	"encoding/json"
)

// State is how far a run has come.
type State string

// The states. Only the first is not final.
const (
	Running State = "running"
	Done    State = "done"    // all rounds are finished, with or without errors in calls
	Stopped State = "stopped" // by Stop or the context
	Failed  State = "failed"  // could not go on; Progress.Error says why
)

// Progress is how far a run has come.
type Progress struct {
	State    State    `json:"state"`
	Error    string   `json:"error"`     // why it failed, else ""
	Fraction float64  `json:"fraction"`  // of the measuring that is done, 0 to 1
	ElapsedS float64  `json:"elapsed_s"` // seconds since the start, until the end
	ETAS     float64  `json:"eta_s"`     // estimated seconds to the end; 0 while nothing is known, and at the end
	Current  *Current `json:"current"`   // what is being measured; nil: nothing
}

// Current is a case in one round.
type Current struct {
	Transport string `json:"transport"`
	SizeBytes int    `json:"size_bytes"`
	Round     int    `json:"round"` // from 1
}

// Snapshot is a run's progress and what it has measured up to now.
type Snapshot struct {
	Progress
	// Cases are those with a finished round, or with data of the round that is in progress or was stopped, whose figures then count like
	// those of a finished one; several clients have no such data. They are ordered by size, then by transport, as in the Config.
	Cases []Case `json:"cases"`
}

// Case is a Result with the distribution of its times over all rounds.
type Case struct {
	Result
	RoundP50NS   []float64 `json:"round_p50_ns"` // of each round, in their order
	Distribution []Bucket  `json:"distribution"` // ascending, without empty buckets
}

// MarshalJSON returns the bucket as an array of two numbers: upper limit in ns, count.
func (b Bucket) MarshalJSON() ([]byte, error) { return json.Marshal([2]int64{b.UpperNS, b.Count}) }
