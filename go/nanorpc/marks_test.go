package nanorpc_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"nanorpc/go/nanorpc"
)

// Roles of processes of which one thread is stepped: see package steps.
const (
	steppedServer = "stepped-server"
	steppedClient = "stepped-client"
)

// What the first byte of a request tells the handlers of a stepped server.
const (
	unmarked byte = iota
	marked        // execute a mark
	whoseAsk      // reply with the thread's id
)

// serveWithMarks serves methods that execute a mark when their request says so. Between two marks lies all that the server does for a call.
func serveWithMarks(where nanorpc.Option) error {
	spin, err := nanorpc.ParseSpinPolicy(cmp.Or(os.Getenv(spinVariable), "busy"))
	if err != nil {
		return err
	}
	srv := nanorpc.NewServer(service, where, nanorpc.WithSpin(spin))
	copied := make([]byte, 1<<20)
	var told atomic.Bool
	err = errors.Join(
		srv.Handle("echo", func(_ context.Context, request []byte) ([]byte, error) { return observed(request), nil }),
		// copies is an echo with a copy more.
		srv.Handle("copies", func(_ context.Context, request []byte) ([]byte, error) {
			return copied[:copy(copied, observed(request))], nil
		}),
		srv.HandleRaw("raw", func(_ context.Context, x *nanorpc.Exchange) error {
			request := observed(x.Request())
			reply, err := x.Reply(len(request))
			if err != nil {
				return err
			}
			if x.Request()[0] == whoseAsk {
				copy(reply, request)
			}
			reply[0], reply[len(reply)-1] = request[0], request[len(request)-1]
			return nil
		}),
		// told replies with something once there has been a line on stdin.
		srv.Handle("told", func(context.Context, []byte) ([]byte, error) {
			if told.Load() {
				return []byte{1}, nil
			}
			return nil, nil
		}),
		srv.Listen(),
	)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			told.Store(true)
		}
	}()
	ready()
	return srv.Serve(ctx)
}

func observed(request []byte) []byte {
	switch request[0] {
	case marked:
		runtime.Breakpoint()
	case whoseAsk:
		return binary.LittleEndian.AppendUint64(nil, uint64(unix.Gettid()))
	}
	return request
}

const (
	spinVariable = "NANORPC_TEST_SPIN"
	warmUp       = 200 // calls before those that are counted
	batchCalls   = 16
)

// callWithMarks reads what to do, in lines of an operation, a size and a number of regions: it does the operation for some time, prints the id of its thread, goes on until the server says so,
// and does the operation between marks. It must not wait
// in the kernel from then on: its other threads stand still, and perhaps none but them can have it go on.
func callWithMarks(where nanorpc.Option) error {
	runtime.LockOSThread() // to ask for relief takes a system call, after which it might go on elsewhere
	client, err := nanorpc.Dial(context.Background(), service, where, nanorpc.WithSpin(nanorpc.SpinBusy))
	if err != nil {
		return err
	}
	defer client.Close()
	ready()
	for {
		var name string
		var size, regions int
		if _, err := fmt.Scanln(&name, &size, &regions); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		do := operation(client, name, size)
		for range warmUp {
			if err := do(); err != nil {
				return err
			}
		}
		fmt.Println(unix.Gettid())
		for {
			told, err := client.Call(context.Background(), "told", nil)
			if err != nil {
				return err
			}
			if len(told) > 0 {
				break
			}
			if err := do(); err != nil {
				return err
			}
		}
		for range regions {
			runtime.Breakpoint()
			if err := do(); err != nil {
				return err
			}
		}
		runtime.Breakpoint()
	}
}

// operation returns what a stepped client does between two marks.
func operation(client *nanorpc.Client, name string, size int) func() error {
	ctx := context.Background()
	request, reply := make([]byte, size), make([]byte, size)
	call := func(method string) error {
		var err error
		reply, err = client.AppendCall(ctx, reply[:0], method, request)
		return err
	}
	batch := client.NewBatch()
	switch name {
	case "nothing":
		return func() error { return nil }
	case "copy":
		return func() error {
			copy(reply, request)
			return nil
		}
	case "call":
		return func() error { return call("echo") }
	case "copy-and-call":
		return func() error {
			copy(reply, request)
			return call("echo")
		}
	case "loan":
		return func() error {
			loan, err := client.Loan(ctx, size)
			if err != nil {
				return err
			}
			memory := loan.Bytes()
			memory[0], memory[size-1] = unmarked, 1
			lease, err := loan.Call(ctx, "raw")
			if err != nil {
				return err
			}
			defer lease.Release()
			if memory := lease.Bytes(); len(memory) != size || memory[size-1] != 1 {
				return errors.New("wrong reply")
			}
			return nil
		}
	case "batch":
		return func() error {
			batch.Reset()
			for range batchCalls {
				batch.Add("echo", request)
			}
			if err := batch.Do(ctx); err != nil {
				return err
			}
			for i := range batchCalls {
				if reply, err := batch.Reply(i); err != nil || !bytes.Equal(reply, request) {
					return fmt.Errorf("wrong reply: %d bytes, %w", len(reply), err)
				}
			}
			return nil
		}
	}
	return func() error { return fmt.Errorf("unknown operation %q", name) }
}
