package nanorpc_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"nanorpc/go/nanorpc"
)

// serve starts a server in a directory of its own and returns the option that finds it, and a function that ends it.
func serve() (nanorpc.Option, func()) {
	dir, err := os.MkdirTemp("", "nanorpc-example-")
	if err != nil {
		log.Fatal(err)
	}
	where := nanorpc.WithDirectory(dir)
	stop := serveAt(where)
	return where, func() {
		stop()
		if err := os.RemoveAll(dir); err != nil {
			log.Fatal(err)
		}
	}
}

// serveAt starts a server, and returns a function that ends it.
func serveAt(where nanorpc.Option) func() {
	srv := nanorpc.NewServer("greeter", where)
	err := errors.Join(
		srv.Handle("hello", func(_ context.Context, name []byte) ([]byte, error) {
			return append([]byte("hello, "), name...), nil
		}),
		srv.Handle("wait", func(ctx context.Context, _ []byte) ([]byte, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}),
		srv.Handle("fail", func(context.Context, []byte) ([]byte, error) {
			return nil, errors.New("out of coffee")
		}),
		srv.Listen(),
	)
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- srv.Serve(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			log.Fatal(err)
		}
	}
}

func Example() {
	where, stop := serve()
	defer stop()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	client, err := nanorpc.Dial(ctx, "greeter", where)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	reply, err := client.Call(ctx, "hello", []byte("world"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", reply)
	// Output: hello, world
}

func ExampleClient_Call_errors() {
	where, stop := serve()
	defer stop()
	client, err := nanorpc.Dial(context.Background(), "greeter", where)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	_, err = client.Call(context.Background(), "fail", nil)
	var remote *nanorpc.RemoteError
	if errors.As(err, &remote) {
		fmt.Println("the handler said:", remote.Message)
	}

	_, err = client.Call(context.Background(), "helo", nil)
	fmt.Println("unknown:", errors.Is(err, nanorpc.ErrUnknownMethod))

	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_, err = client.Call(ctx, "wait", nil)
	fmt.Println("deadline:", errors.Is(err, context.DeadlineExceeded))

	_, err = nanorpc.Dial(context.Background(), "nobody", where)
	fmt.Println("nobody there:", errors.Is(err, nanorpc.ErrServerNotFound))
	// Output:
	// the handler said: out of coffee
	// unknown: true
	// deadline: true
	// nobody there: true
}

func ExampleWithReconnect() {
	where, stop := serve()
	ctx := context.Background()
	client, err := nanorpc.Dial(ctx, "greeter", where, nanorpc.WithReconnect(10*time.Second))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	stop()                 // calls in flight end with ErrServerGone
	defer serveAt(where)() // or some seconds later, from another process
	reply, err := client.Call(ctx, "hello", []byte("again"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(reply))
	// Output: hello, again
}

func ExampleServices() {
	where, stop := serve()
	defer stop()
	names, err := nanorpc.Services(where)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(names)
	// Output: [greeter]
}

// Many calls in flight, without waiting for each.
func ExampleClient_Go() {
	client, stop := greeter()
	defer stop()
	ctx := context.Background()
	first := client.Go(ctx, "hello", []byte("Ada"))
	second := client.Go(ctx, "hello", []byte("Grace"))
	for _, call := range []*nanorpc.Call{first, second} {
		reply, err := call.Result()
		fmt.Println(string(reply), err)
	}
	// Output:
	// hello, Ada <nil>
	// hello, Grace <nil>
}

// Many calls that are published at once.
func ExampleBatch() {
	client, stop := greeter()
	defer stop()
	batch := client.NewBatch()
	batch.Add("hello", []byte("Ada"))
	batch.Add("hello", []byte("Grace"))
	if err := batch.Do(context.Background()); err != nil {
		log.Fatal(err)
	}
	for i := range batch.Len() {
		reply, _ := batch.Reply(i)
		fmt.Println(string(reply))
	}
	// Output:
	// hello, Ada
	// hello, Grace
}

// A request is written where the server reads it, and the reply read where the server wrote it.
func ExampleClient_Loan() {
	client, stop := greeter()
	defer stop()
	ctx := context.Background()
	loan, err := client.Loan(ctx, 3)
	if err != nil {
		log.Fatal(err)
	}
	copy(loan.Bytes(), "Ada")
	lease, err := loan.Call(ctx, "hello")
	if err != nil {
		log.Fatal(err)
	}
	defer lease.Release()
	fmt.Println(string(lease.Bytes()))
	// Output:
	// hello, Ada
}

// A handler that copies neither its request nor its reply.
func ExampleServer_HandleRaw() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	where := nanorpc.WithDirectory(dir)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	srv := nanorpc.NewServer("pixels", where)
	err = srv.HandleRaw("invert", func(_ context.Context, x *nanorpc.Exchange) error {
		reply, err := x.Reply(len(x.Request()))
		if err != nil {
			return err
		}
		for i, b := range x.Request() {
			reply[i] = ^b
		}
		return nil
	})
	if err := errors.Join(err, srv.Listen()); err != nil {
		log.Fatal(err)
	}
	go func() { _ = srv.Serve(ctx) }()

	client, err := nanorpc.Dial(ctx, "pixels", where)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	reply, err := client.Call(ctx, "invert", []byte{0x00, 0xf0})
	fmt.Printf("%x %v\n", reply, err)
	// Output:
	// ff0f <nil>
}

// What a server has counted, as "client stats" shows it.
func ExampleClient_Stats() {
	client, stop := greeter()
	defer stop()
	ctx := context.Background()
	if _, err := client.Call(ctx, "hello", []byte("world")); err != nil {
		log.Fatal(err)
	}
	stats, err := client.Stats(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(stats.Service, stats.Connected)
	for _, m := range stats.Methods {
		fmt.Println(m.Name, m.Errors, m.Times.Percentile(99) < time.Minute)
	}
	// Output:
	// greeter 1
	// fail 0 true
	// hello 0 true
	// wait 0 true
}

// greeter returns a client of a greeter, and what ends both.
func greeter() (*nanorpc.Client, func()) {
	where, stop := serve()
	client, err := nanorpc.Dial(context.Background(), "greeter", where)
	if err != nil {
		log.Fatal(err)
	}
	return client, func() {
		client.Close()
		stop()
	}
}
