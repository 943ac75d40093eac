package nanorpc_test

import (
	"context"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"nanorpc/go/nanorpc"
)

// TestRelief: the leader of a connection runs a handler that has always been quick, and now takes long. A call beside it does not wait for its end.
func TestRelief(t *testing.T) {
	dir := t.TempDir()
	startRole(t, "server", dir)
	client := dial(t, nanorpc.WithDirectory(dir))
	ctx := context.Background()
	const long, longText = 20 * time.Millisecond, "20"
	call := func() ([]byte, error) { return client.Call(ctx, "clock", nil) }
	inBatch := func() ([]byte, error) {
		b := client.NewBatch()
		i := b.Add("clock", nil)
		if err := b.Do(ctx); err != nil {
			return nil, err
		}
		return b.Reply(i)
	}
	later := func() ([]byte, error) { return client.Go(ctx, "clock", nil).Result() }
	for name, beside := range map[string]func() ([]byte, error){"Call": call, "Batch": inBatch, "Go": later} {
		var waits []time.Duration
		for range 30 {
			for range 200 { // both methods are known to be quick, and both ends spin
				for _, method := range []string{"sleep", "clock"} {
					if _, err := client.Call(ctx, method, []byte("0")); err != nil {
						t.Fatal(err)
					}
				}
			}
			slow := client.Go(ctx, "sleep", []byte(longText))
			submitted := monotonic()
			reply, err := beside()
			if err != nil {
				t.Fatal(err)
			}
			waits = append(waits, time.Duration(int64(binary.LittleEndian.Uint64(reply))-submitted))
			if _, err := slow.Result(); err != nil {
				t.Fatal(err)
			}
		}
		slices.Sort(waits)
		n := len(waits)
		t.Logf("%s: begins after %v at the median, %v to %v", name, waits[n/2], waits[0], waits[n-1])
		if waits[n/2] > long/4 {
			t.Errorf("%s: most calls beside one of %v begin later than after %v", name, long, waits[n/2])
		}
	}
}
