package main

import (
	"context"
	"encoding/json"
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
	if o.json {
		return listJSON(ctx, names, where, o)
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

// described is what -json prints of a service: its process and methods, or why it does not answer.
type described struct {
	Service    string   `json:"service"`
	PID        int      `json:"pid,omitempty"`
	Methods    []string `json:"methods,omitzero"`
	MaxPayload int      `json:"max_payload,omitempty"`
	Error      string   `json:"error,omitempty"`
}

// listJSON prints an object for each service, one a line.
func listJSON(ctx context.Context, names []string, where nanorpc.Option, o options) error {
	lines := json.NewEncoder(os.Stdout)
	for _, name := range names {
		one := described{Service: name}
		if d, err := describe(ctx, name, where, o); err != nil {
			one.Error = strings.TrimPrefix(err.Error(), "nanorpc: ")
		} else {
			one.PID, one.Methods, one.MaxPayload = d.PID, append([]string{}, d.Methods...), d.MaxPayload
		}
		if err := lines.Encode(one); err != nil {
			return err
		}
	}
	return nil
}

func describe(ctx context.Context, service string, where nanorpc.Option, o options) (nanorpc.Description, error) {
	ctx, cancel := o.limit(ctx)
	defer cancel()
	client, err := nanorpc.Dial(ctx, service, where)
	if err != nil {
		return nanorpc.Description{}, err
	}
	defer client.Close()
	return client.Describe(ctx)
}
