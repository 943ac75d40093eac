package nanorpc_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"

	"nanorpc/go/internal/trial"
	"nanorpc/go/nanorpc"
)

// listenWhenTold takes the service's name, or tries to, for each "start" on the standard input, and gives it back for each "stop".
func listenWhenTold(where nanorpc.Option) error {
	ready()
	var srv *nanorpc.Server
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var err error
		switch lines.Text() {
		case "start":
			srv, err = newTestServer(where)
		case "stop":
			err = srv.Shutdown(context.Background())
		}
		switch {
		case err == nil:
			fmt.Println("done")
		case errors.Is(err, nanorpc.ErrServiceInUse):
			fmt.Println("in use")
		default:
			fmt.Println(err)
		}
	}
	return nil
}

// Of two servers that start at once exactly one gets the name, and the other is told. Rounds alternate between a clean end and a killed winner's socket.
func TestServersThatStartAtOnce(t *testing.T) {
	dir := t.TempDir()
	const full, killEvery = 50, 5
	r := trial.Begin(t, "two servers that start at once", "times", full)
	rounds := trial.Size(full, 10)
	contenders := []*child{startRole(t, "contender", dir), startRole(t, "contender", dir)}
	tell := func(c *child, what string) {
		if _, err := io.WriteString(c.stdin.(io.Writer), what+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	answer := func(c *child) string {
		line, err := c.stdout.ReadString('\n')
		if err != nil {
			t.Fatal(err, c.stderr.String())
		}
		return line
	}
	wins := [2]int{}
	for round := range rounds {
		tell(contenders[round%2], "start")
		tell(contenders[1-round%2], "start")
		first, second := answer(contenders[0]), answer(contenders[1])
		winner := 0
		switch {
		case first == "done\n" && second == "in use\n":
		case first == "in use\n" && second == "done\n":
			winner = 1
		default:
			r.Lose("round %d: %q and %q", round, first, second)
			return
		}
		r.Try(1, rounds)
		wins[winner]++
		if round%killEvery == 0 {
			contenders[winner].kill(t)
			contenders[winner] = startRole(t, "contender", dir)
			continue
		}
		tell(contenders[winner], "stop")
		if line := answer(contenders[winner]); line != "done\n" {
			t.Fatalf("round %d: the end: %q", round, line)
		}
	}
	r.Note("%d won by the one, %d by the other", wins[0], wins[1])
}
