package shm

import (
	"bytes"
	"errors"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const testSize = 1 << 20

func create(t *testing.T, make func(size, committed int64) (*os.File, error)) (*os.File, *Mapping) {
	t.Helper()
	f, err := make(testSize, 8192)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Map(f, testSize)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(m.Close(), f.Close()) })
	return f, m
}

// A sealed object keeps its size, and its pages come and go as those of others do.
func TestSealed(t *testing.T) {
	f, m := create(t, CreateSealed)
	if !Sealed(f) || !Shared(f) {
		t.Error("it is not sealed, or not shared memory")
	}
	for _, size := range []int64{0, testSize - 1, testSize + 1} {
		if err := f.Truncate(size); !errors.Is(err, unix.EPERM) {
			t.Errorf("to make it %d bytes long: %v", size, err)
		}
	}
	if err := Commit(f, testSize, 4096); err == nil {
		t.Error("it has grown beyond its end")
	}
	if err := Commit(f, 0, testSize); err != nil {
		t.Fatal(err)
	}
	if n, err := Memory(f); n != testSize || err != nil {
		t.Errorf("%d bytes have pages, %v", n, err)
	}
	copy(m.Bytes()[testSize/2:], "written")
	if err := Decommit(f, testSize/2, testSize/2); err != nil {
		t.Fatal(err)
	}
	if n, err := Memory(f); n != testSize/2 || err != nil {
		t.Errorf("%d bytes have pages, %v", n, err)
	}
	if got := m.Bytes()[testSize/2:]; !bytes.Equal(got, make([]byte, testSize/2)) {
		t.Error("a hole does not read as zero")
	}
}

func TestSharedMemoryIsToldFromOtherFiles(t *testing.T) {
	plain, _ := create(t, Create)
	if Sealed(plain) || !Shared(plain) {
		t.Error("a plain object is taken for sealed, or not for shared memory")
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	proc, err := os.Open("/proc/self/maps") // a regular file, as its type says
	if err != nil {
		t.Fatal(err)
	}
	defer proc.Close()
	dir, err := os.Open("/dev/shm")
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	for _, f := range []*os.File{r, null, proc, dir} {
		if Shared(f) || Sealed(f) {
			t.Errorf("%s is taken for shared memory", f.Name())
		}
	}
}

// A guarded mapping whose object has been made shorter can be used on, and its owner is told once.
func TestGuard(t *testing.T) {
	f, m := create(t, Create)
	lost := make(chan struct{}, 2)
	m.Guard(func() { lost <- struct{}{} })
	m.Bytes()[5000] = 1
	if !Try(func() { m.Bytes()[5000]++ }) {
		t.Fatal("a fault in memory that is there")
	}
	if err := f.Truncate(4096); err != nil {
		t.Fatal(err)
	}
	if Try(func() { copy(make([]byte, testSize), m.Bytes()) }) {
		t.Fatal("no fault in memory that is not there")
	}
	select {
	case <-lost:
	case <-time.After(10 * time.Second):
		t.Fatal("the owner has not been told")
	}
	if !Try(func() { m.Bytes()[5000]++ }) || m.Bytes()[5000] != 1 {
		t.Errorf("after the fault there is %d", m.Bytes()[5000])
	}
	time.Sleep(10 * time.Millisecond)
	if len(lost) != 0 {
		t.Error("the owner has been told twice")
	}
}

// What is no fault in a guarded mapping is not recovered.
func TestOtherPanics(t *testing.T) {
	f, m := create(t, Create)
	if err := f.Truncate(0); err != nil {
		t.Fatal(err)
	}
	for name, g := range map[string]func(){
		"a panic":            func() { panic("on purpose") },
		"a nil pointer":      func() { var p *int; *p = 1 },
		"an unguarded fault": func() { m.Bytes()[0] = 1 },
		"an index":           func() { m.Bytes()[len(m.Bytes())+runtime.NumGoroutine()] = 1 },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s was recovered", name)
				}
			}()
			Try(g)
		}()
	}
}
