package link

import (
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nanorpc/go/internal/wire"
)

func newSegment(t *testing.T, arena, maxPayload int64) (*wire.Segment, *os.File) {
	t.Helper()
	l, err := wire.NewLayout(arena, maxPayload)
	if err != nil {
		t.Fatal(err)
	}
	s, file, err := wire.Create(l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	return s, file
}

// memory returns how many bytes of shared memory a segment takes.
func memory(t *testing.T, file *os.File) int64 {
	t.Helper()
	var stat unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &stat); err != nil {
		t.Fatal(err)
	}
	return stat.Blocks * 512
}

func TestPoolGrowsAndShrinks(t *testing.T) {
	segment, file := newSegment(t, 64<<20, 32<<20)
	defer segment.Close()
	l := segment.Layout()
	p := newPool(segment, l.RequestStart(), l.RequestArena)
	empty := memory(t, file)
	var blocks []int64
	for {
		offset, err := p.alloc(16 << 20)
		if errors.Is(err, errFull) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		blocks = append(blocks, offset)
	}
	if got := memory(t, file); len(blocks) != 4 || got != empty+64<<20 {
		t.Errorf("%d blocks, %d bytes", len(blocks), got)
	}
	for _, b := range blocks[1:] {
		p.free(b)
	}
	waitFor(t, "the free end of an idle arena is given back", func() bool { return memory(t, file) == empty+16<<20 })
	p.free(blocks[0])
	waitFor(t, "an idle arena is given back but for a rest", func() bool { return memory(t, file) == empty+retained })
	if _, err := p.alloc(32 << 20); err != nil || memory(t, file) < empty+32<<20 {
		t.Errorf("after the trim: %v, %d bytes", err, memory(t, file))
	}
	p.close()
}

func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("a minute has passed, and not yet: %s", what)
		}
	}
}

// Blocks of many goroutines keep what is written in them while the arena grows and is trimmed.
func TestPoolConcurrently(t *testing.T) {
	segment, _ := newSegment(t, 64<<20, 1<<20)
	defer segment.Close()
	l := segment.Layout()
	p := newPool(segment, l.RequestStart(), l.RequestArena)
	stop := make(chan struct{})
	var trimmer, users sync.WaitGroup
	trimmer.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				p.mu.Lock()
				count := p.count
				p.mu.Unlock()
				p.trim(count)
			}
		}
	})
	for user := range 8 {
		users.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(user), 1))
			for range 300 {
				size := 1 + rng.Int64N(1<<20)>>rng.IntN(9)
				offset, err := p.alloc(size)
				if errors.Is(err, errFull) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				b := segment.Bytes(offset, size)
				for i := 0; i < len(b); i += 512 {
					b[i] = byte(user + i)
				}
				for i := 0; i < len(b); i += 512 {
					if b[i] != byte(user+i) {
						t.Errorf("user %d: byte %d has changed", user, i)
						return
					}
				}
				p.free(offset)
			}
		})
	}
	users.Wait()
	close(stop)
	trimmer.Wait()
	p.close()
}
