package futex

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// Who waits for long lets go of its P: the garbage collector stops the world, and other goroutines run, also where there is only one.
func TestWaitLong(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for i := range 200 {
		var word uint32
		entered, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			close(entered)
			for atomic.LoadUint32(&word) == 0 {
				WaitLong(&word, 0, 0)
			}
		}()
		<-entered
		if i%10 == 0 {
			runtime.GC()
		}
		atomic.StoreUint32(&word, 1)
		Wake(&word, 1)
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Fatal("it was not woken")
		}
	}
}

func TestWaitLongUntilItsDeadline(t *testing.T) {
	var word uint32
	end := Now() + int64(2*time.Millisecond)
	for Now() < end {
		WaitLong(&word, 0, end)
	}
	WaitLong(&word, 1, 0) // the word has another value: it returns at once
}
