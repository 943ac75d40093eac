package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"nanorpc/go/nanorpc"
)

// stats prints what a server has counted: once, or with -watch until the context or the server ends.
func stats(ctx context.Context, o options) error {
	client, err := dialForStats(ctx, o)
	if err != nil {
		return err
	}
	defer client.Close()
	show := newScreen(os.Stdout, o.watch)
	tick := time.NewTicker(o.interval)
	defer tick.Stop()
	s := sample{watch: o.watch, self: os.Getpid()}
	for {
		now, err := askForStats(ctx, client, o)
		if err != nil {
			return err
		}
		s.before, s.now = s.now, &now
		if o.json {
			err = printJSON(os.Stdout, s)
		} else {
			err = show.next(tables(s))
		}
		if err != nil || !o.watch {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// dialForStats connects without a spin of this end: the CPU is left to what is being watched.
func dialForStats(ctx context.Context, o options) (*nanorpc.Client, error) {
	ctx, cancel := o.limit(ctx)
	defer cancel()
	return nanorpc.Dial(ctx, o.service, o.dialOptions(nanorpc.WithSpin(nanorpc.SpinNone))...)
}

func askForStats(ctx context.Context, client *nanorpc.Client, o options) (nanorpc.Stats, error) {
	ctx, cancel := o.limit(ctx)
	defer cancel()
	return client.Stats(ctx)
}

// explainStats says what went wrong where stats can say more than other commands. It returns "" where it cannot.
func explainStats(err error, o options) string {
	switch {
	case errors.Is(err, nanorpc.ErrServerGone):
		return fmt.Sprintf("the server of service %q has ended, or is shutting down", o.service)
	case errors.Is(err, nanorpc.ErrUnknownMethod):
		return fmt.Sprintf("the server of service %q is older than statistics", o.service)
	}
	return ""
}
