// Package nanorpc calls functions of other programs on the same Linux machine, through shared memory, in about a microsecond.
//
// A server registers methods, which are functions from bytes to bytes, and serves them under a name. A client dials the name and calls
// the methods. Any number of clients, and of goroutines in each, call at once.
//
//	srv := nanorpc.NewServer("greeter")
//	srv.Handle("hello", func(ctx context.Context, name []byte) ([]byte, error) {
//		return append([]byte("hello, "), name...), nil
//	})
//	go srv.Serve(ctx)
//
//	client, err := nanorpc.Dial(ctx, "greeter")
//	reply, err := client.Call(ctx, "hello", []byte("world"))
//
// # Who may call
//
// Services are found in a directory that belongs to the user who runs them: WithDirectory, else $NANORPC_DIR, else
// $XDG_RUNTIME_DIR/nanorpc, else /tmp/nanorpc-<uid>. Clients and server run as the same user, and the kernel tells each who the other is, unless they say otherwise:
// servers with AllowUID and AllowGID, clients with WithServerUID. An authorizer may be asked for each call (WithAuthorizer).
//
// # Caveats
//
// A connection takes 8 KiB of shared memory while it is idle, and what its payloads need, up to twice the server's arena (see WithArena).
//
// A process that dies, even by SIGKILL, leaves nothing in /dev/shm, and its peers get ErrServerGone, or end of service, within milliseconds.
// With WithReconnect a client goes on with the next server.
// A peer that is stopped (SIGSTOP) is not dead: calls to it wait for their deadlines. Give calls deadlines.
//
// The request that a handler gets lies in memory that the client can write. A handler that must not see it change while it looks at it,
// although the client means harm, copies it first.
package nanorpc
