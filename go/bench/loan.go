package bench

import (
	"context"
	"sync"

	"nanorpc/go/nanorpc"
)

// nanoLoan is package nanorpc without copies: a request of the full size is built in a loan, of which the caller writes, and the server reads,
// the stamps at both ends; the reply is as long, and made in the same way where the client reads it.
type nanoLoan struct{ nanoRPC }

const stampMethod = "stamp"

func (nanoLoan) Name() string { return "nanorpc-loan" }

func (nanoLoan) payload(size int) int { return min(size, 2*stampSize) }

func (nanoLoan) Connect(ctx context.Context, p Params, size, callers int) (Session, error) {
	s, err := nanoRPC{}.Connect(ctx, p, size, callers)
	if err != nil {
		return nil, err
	}
	client := s.(*nanoSession).client
	return &loanSession{client: client, size: size, shut: sync.OnceValue(client.Close)}, nil
}

// stamp replies with as many bytes as the request has, of which it copies the first and last.
func stamp(_ context.Context, x *nanorpc.Exchange) error {
	request := x.Request()
	reply, err := x.Reply(len(request))
	if err != nil {
		return err
	}
	putEnds(reply, request)
	return nil
}

// putEnds copies the ends of a payload to those of another. Where one of them is short they are all of it.
func putEnds(to, from []byte) {
	if len(to) <= 2*stampSize || len(from) < 2*stampSize {
		copy(to, from)
		return
	}
	copy(to[:stampSize], from)
	copy(to[len(to)-stampSize:], from[len(from)-stampSize:])
}

type loanSession struct {
	client *nanorpc.Client
	size   int
	shut   func() error
}

func (s *loanSession) Caller(int) Caller { return s }
func (s *loanSession) Interrupt()        { _ = s.shut() } // close reports its error
func (s *loanSession) Close() error      { return s.shut() }

func (s *loanSession) Call(buffer, request []byte) ([]byte, error) {
	ctx := context.Background()
	loan, err := s.client.Loan(ctx, s.size)
	if err != nil {
		return buffer, err
	}
	putEnds(loan.Bytes(), request)
	lease, err := loan.Call(ctx, stampMethod)
	if err != nil {
		return buffer, err
	}
	reply := lease.Bytes()
	if n := len(reply); n > 2*stampSize {
		buffer = append(append(buffer[:0], reply[:stampSize]...), reply[n-stampSize:]...)
	} else {
		buffer = append(buffer[:0], reply...)
	}
	lease.Release()
	return buffer, nil
}
