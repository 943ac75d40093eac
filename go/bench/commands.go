package bench

import (
	"context"
	"encoding/json"
	"io"
)

// commands are the JSON values that a process reads on stdin.
type commands[T any] chan T

// readCommands reads until stdin ends, or has something else in it, or ctx is done. Then it calls ended, with io.EOF in the first case.
func readCommands[T any](ctx context.Context, stdin io.Reader, ended func(error)) commands[T] {
	c := make(commands[T])
	go func() {
		for lines := json.NewDecoder(stdin); ; {
			var command T
			if err := lines.Decode(&command); err != nil {
				ended(err)
				return
			}
			select {
			case c <- command:
			case <-ctx.Done():
				ended(ctx.Err())
				return
			}
		}
	}()
	return c
}

// next returns the next command, or false when ctx is done.
func (c commands[T]) next(ctx context.Context) (T, bool) {
	select {
	case command := <-c:
		return command, true
	case <-ctx.Done():
		var none T
		return none, false
	}
}
