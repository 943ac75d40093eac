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
	srv := nanorpc.NewServer("greeter", where)
	err = errors.Join(
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
	return where, func() {
		cancel()
		if err := errors.Join(<-done, os.RemoveAll(dir)); err != nil {
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
