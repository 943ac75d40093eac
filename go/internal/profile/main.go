// Command profile writes CPU profiles of round trips: of both ends in Go, and of a client in Python. See make profile.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"time"

	"nanorpc/go/nanorpc"
)

const (
	serviceName = "profile"
	method      = "echo"
	payload     = 64 // bytes
	top         = 40 // functions in a report
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("profile: ")
	p := profiler{}
	flag.StringVar(&p.out, "out", "out/profile", "`directory` of the reports")
	flag.DurationVar(&p.duration, "duration", 5*time.Second, "how `long` to measure each")
	flag.StringVar(&p.python, "python", "", "the `program` of a Python that has nanorpc; none: only Go is measured")
	flag.StringVar(&p.pySpy, "py-spy", "", "the `program` of py-spy; none: no flame graph of Python")
	serve := flag.String("serve", "", "be the server, and write its profile to this `file`")
	flag.Parse()
	err := error(nil)
	if *serve != "" {
		err = profiled(*serve, serveUntilStdinEnds)
	} else {
		err = p.run()
	}
	if err != nil {
		log.Fatal(err)
	}
}

// profiled calls f, and writes a profile of what the process does meanwhile.
func profiled(path string, f func() error) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return errors.Join(err, file.Close())
	}
	err = f()
	pprof.StopCPUProfile()
	return errors.Join(err, file.Close())
}

func serveUntilStdinEnds() error {
	srv := nanorpc.NewServer(serviceName)
	if err := errors.Join(srv.Handle(method, func(_ context.Context, request []byte) ([]byte, error) { return request, nil }), srv.Listen()); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, os.Stdin)
	}()
	fmt.Println("ready")
	return srv.Serve(ctx)
}

// profiler writes reports to a directory.
type profiler struct {
	out           string
	duration      time.Duration
	python, pySpy string
}

func (p profiler) run() error {
	if err := os.MkdirAll(p.out, 0o755); err != nil {
		return err
	}
	private, err := os.MkdirTemp("", "nanorpc-profile-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(private)
	if err := os.Setenv("NANORPC_DIR", private); err != nil {
		return err
	}
	if err := p.goRoundTrip(); err != nil {
		return err
	}
	if p.python == "" {
		return nil
	}
	return p.pythonRoundTrip()
}

func (p profiler) path(name string) string { return filepath.Join(p.out, name) }

// withServer calls f while a server runs that writes its profile, unless the path is that of no file.
func (p profiler) withServer(profile string, f func() error) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	server := exec.Command(self, "-serve", profile)
	server.Stderr = os.Stderr
	stdin, err := server.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := server.StdoutPipe()
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	var line string
	if _, err := fmt.Fscanln(stdout, &line); err != nil {
		return errors.Join(fmt.Errorf("the server does not start: %w", err), server.Wait())
	}
	err = f()
	return errors.Join(err, stdin.Close(), server.Wait())
}

// goRoundTrip profiles both ends of calls between two processes.
func (p profiler) goRoundTrip() error {
	client, server := p.path("go-client.pprof"), p.path("go-server.pprof")
	err := p.withServer(server, func() error { return profiled(client, func() error { return callFor(p.duration) }) })
	if err != nil {
		return err
	}
	return errors.Join(p.report(client), p.report(server))
}

func callFor(d time.Duration) error {
	ctx := context.Background()
	client, err := nanorpc.Dial(ctx, serviceName)
	if err != nil {
		return err
	}
	defer client.Close()
	request, reply := make([]byte, payload), make([]byte, 0, payload)
	calls := 0
	for end := time.Now().Add(d); time.Now().Before(end); calls += 1000 {
		for range 1000 {
			if _, err := client.AppendCall(ctx, reply, method, request); err != nil {
				return err
			}
		}
	}
	fmt.Printf("Go: %d calls in %v\n", calls, d)
	return nil
}

// report makes a table of a profile, and a graph where Graphviz is there.
func (p profiler) report(profile string) error {
	base := strings.TrimSuffix(profile, ".pprof")
	table, err := exec.Command("go", "tool", "pprof", "-top", fmt.Sprint("-nodecount=", top), profile).Output()
	if err != nil {
		return fmt.Errorf("go tool pprof: %w", err)
	}
	if err := p.write(base+".txt", table); err != nil {
		return err
	}
	if _, err := exec.LookPath("dot"); err != nil {
		fmt.Printf("no %s.svg: there is no dot (Graphviz). Flame graph: go tool pprof -http=: %s\n", base, profile)
		return nil
	}
	graph, err := exec.Command("go", "tool", "pprof", "-svg", profile).Output()
	if err != nil {
		return fmt.Errorf("go tool pprof: %w", err)
	}
	return p.write(base+".svg", graph)
}

func (p profiler) write(path string, content []byte) error {
	if err := os.WriteFile(path, content, 0o644); err != nil {
		return err
	}
	fmt.Println("wrote", path)
	return nil
}
