package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"nanorpc/go/nanorpc"
)

// list prints the running services. One that does not answer is shown with the reason.
func list(ctx context.Context, o options) error {
	where := nanorpc.WithDirectory(o.directory)
	names, err := nanorpc.Services(where)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		fmt.Fprintln(os.Stderr, "client: no service is running")
		return nil
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SERVICE\tPROCESS\tMETHODS")
	for _, name := range names {
		d, err := describe(ctx, name, where, o)
		if err != nil {
			fmt.Fprintf(table, "%s\t?\t%v\n", name, err)
			continue
		}
		fmt.Fprintf(table, "%s\t%d\t%s\n", name, d.PID, strings.Join(d.Methods, " "))
	}
	return table.Flush()
}

func describe(ctx context.Context, service string, where nanorpc.Option, o options) (nanorpc.Description, error) {
	if o.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.timeout)
		defer cancel()
	}
	client, err := nanorpc.Dial(ctx, service, where)
	if err != nil {
		return nanorpc.Description{}, err
	}
	defer client.Close()
	return client.Describe(ctx)
}
