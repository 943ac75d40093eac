package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"nanorpc/go/internal/futex"
)

// Bounds of a Config.
const (
	MaxSize     = 64 << 20 // bytes
	MaxInflight = 1024
	MaxClients  = 64
	MaxIdle     = 4000
	MaxRounds   = 1000
	MaxDuration = 10 * time.Minute
	MaxCalls    = 1_000_000_000
	MaxRate     = 100e6 // calls a second
	MaxWarmUp   = time.Minute
)

// ErrConfig reports a Config that cannot be run.
var ErrConfig = errors.New("invalid benchmark")

// Config says what a run measures. Its JSON keys are those of the Python package.
type Config struct {
	Transports []string `json:"transports"`  // names out of Transports()
	Sizes      []int    `json:"sizes"`       // payload lengths in bytes, 0 to MaxSize
	Clients    int      `json:"clients"`     // processes that call at once, 1 to MaxClients; 1: this one, more: others that it starts
	Inflight   int      `json:"inflight"`    // concurrent callers in each client, 1 to MaxInflight
	Idle       int      `json:"idle"`        // further connections to nanorpc's server, which have called once and do not now: 0 to MaxIdle
	DurationMS int64    `json:"duration_ms"` // how long a case is measured in a round, if Calls is 0
	Calls      int64    `json:"calls"`       // how many calls a case makes in a round, all clients together; 0: as many as fit in DurationMS
	Rounds     int      `json:"rounds"`      // 1 to MaxRounds
	WarmUpMS   int64    `json:"warmup_ms"`   // for how long calls are made before they are measured, DurationMS or Calls at most
	// Rate is how many calls a second all callers of a case make together, each timed from when it should have begun; 0: a closed loop.
	Rate float64 `json:"rate"`
	Spin string  `json:"spin"` // nanorpc's spin policy at both ends, where the transport has none of its own: adaptive, busy or none
	// Pin keeps this process, with all its threads, and all clients on one CPU during the run, and the servers on another.
	Pin bool `json:"pin"`
	// PeerCommand is the program and first arguments of the other processes. One argument is appended, which the program passes to RunPeer.
	PeerCommand []string `json:"peer_command"`

	// Finished is called with each case that has finished all its rounds, from the run's goroutine and between measurements. May be nil.
	Finished func(Result) `json:"-"`
}

// DefaultConfig returns a Config that lacks a PeerCommand only.
func DefaultConfig() Config {
	return Config{
		Transports: []string{"limit", "nanorpc", "uds"},
		Sizes:      []int{64, 4 << 10, 64 << 10, 1 << 20},
		Clients:    1,
		Inflight:   1,
		DurationMS: 300,
		Rounds:     5,
		WarmUpMS:   50,
		Spin:       futex.Adaptive.String(),
	}
}

// ParseConfig returns the Config that a JSON object describes; keys that it lacks have their defaults. The result is valid.
// Errors are ErrConfig.
func ParseConfig(object string) (Config, error) {
	c := DefaultConfig()
	d := json.NewDecoder(strings.NewReader(object))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return Config{}, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return c, c.Validate()
}

// Validate returns nil, or an ErrConfig that says what to change.
func (c Config) Validate() error { return c.validate(Transports()) }

func (c Config) validate(known []string) error {
	if err := c.validateMeasuring(known); err != nil {
		return err
	}
	if len(c.PeerCommand) == 0 || c.PeerCommand[0] == "" {
		return fmt.Errorf("%w: no peer command: name the program that runs the server's side", ErrConfig)
	}
	return nil
}

// validateMeasuring validates all but what says how to start other processes.
func (c Config) validateMeasuring(known []string) error {
	if err := c.validateCases(known); err != nil {
		return err
	}
	switch {
	case c.Clients < 1 || c.Clients > MaxClients:
		return fmt.Errorf("%w: %d clients: use 1 to %d", ErrConfig, c.Clients, MaxClients)
	case c.Idle < 0 || c.Idle > MaxIdle:
		return fmt.Errorf("%w: %d idle connections: use 0 to %d", ErrConfig, c.Idle, MaxIdle)
	case c.Idle > 0 && c.Clients > 1:
		return fmt.Errorf("%w: idle connections beside %d clients: use either", ErrConfig, c.Clients)
	case c.Inflight < 1 || c.Inflight > MaxInflight:
		return fmt.Errorf("%w: %d calls in flight: use 1 to %d", ErrConfig, c.Inflight, MaxInflight)
	case c.Rounds < 1 || c.Rounds > MaxRounds:
		return fmt.Errorf("%w: %d rounds: use 1 to %d", ErrConfig, c.Rounds, MaxRounds)
	case c.Calls < 0 || c.Calls > MaxCalls:
		return fmt.Errorf("%w: %d calls: use 1 to %d, or 0 to measure for a duration", ErrConfig, c.Calls, MaxCalls)
	case c.Calls > 0 && c.Calls < int64(c.Clients):
		return fmt.Errorf("%w: %d calls for %d clients: use at least one for each", ErrConfig, c.Calls, c.Clients)
	case c.Calls == 0 && (c.DurationMS < 1 || c.DurationMS > MaxDuration.Milliseconds()):
		return fmt.Errorf("%w: duration of %d ms: use 1 to %d", ErrConfig, c.DurationMS, MaxDuration.Milliseconds())
	case !(c.Rate >= 0 && c.Rate <= MaxRate): // NaN is neither
		return fmt.Errorf("%w: rate of %v calls a second: use up to %v, or 0 for a closed loop", ErrConfig, c.Rate, MaxRate)
	case c.WarmUpMS < 0 || c.WarmUpMS > MaxWarmUp.Milliseconds():
		return fmt.Errorf("%w: warm-up of %d ms: use up to %d", ErrConfig, c.WarmUpMS, MaxWarmUp.Milliseconds())
	}
	if _, err := futex.ParsePolicy(c.Spin); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return nil
}

func (c Config) validateCases(known []string) error {
	if len(c.Transports) == 0 {
		return fmt.Errorf("%w: no transport: use some of %s", ErrConfig, strings.Join(known, ", "))
	}
	for i, t := range c.Transports {
		if !slices.Contains(known, t) {
			return fmt.Errorf("%w: unknown transport %q: use some of %s", ErrConfig, t, strings.Join(known, ", "))
		}
		if slices.Contains(c.Transports[:i], t) {
			return fmt.Errorf("%w: transport %s named twice", ErrConfig, t)
		}
	}
	if len(c.Sizes) == 0 {
		return fmt.Errorf("%w: no size: use some of 0 to %d bytes", ErrConfig, MaxSize)
	}
	for i, size := range c.Sizes {
		if size < 0 || size > MaxSize {
			return fmt.Errorf("%w: size of %d bytes: use 0 to %d", ErrConfig, size, MaxSize)
		}
		if slices.Contains(c.Sizes[:i], size) {
			return fmt.Errorf("%w: size %d named twice", ErrConfig, size)
		}
	}
	return nil
}

// duration returns how long a case is measured in a round, or 0 if calls are counted instead.
func (c Config) duration() time.Duration {
	if c.Calls > 0 {
		return 0
	}
	return time.Duration(c.DurationMS) * time.Millisecond
}

// warmUp returns how long a case runs before it is measured: spin policies learn, pages fault in, CPUs raise their clock.
func (c Config) warmUp() time.Duration {
	limit := time.Duration(c.WarmUpMS) * time.Millisecond
	if d := c.duration(); d > 0 {
		limit = min(limit, d)
	}
	return limit
}
