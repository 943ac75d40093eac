package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"nanorpc/go/nanorpc"
)

// methods are those of the demonstration service.
func methods() map[string]nanorpc.Handler {
	return map[string]nanorpc.Handler{
		"echo":   echo,
		"sum":    sum,
		"sha256": digest,
		"sleep":  sleep,
	}
}

func echo(_ context.Context, request []byte) ([]byte, error) { return request, nil }

func sum(_ context.Context, request []byte) ([]byte, error) {
	if len(request)%8 != 0 {
		return nil, fmt.Errorf("sum takes float64 numbers of 8 bytes each, got %d bytes", len(request))
	}
	total := 0.0
	for ; len(request) > 0; request = request[8:] {
		total += math.Float64frombits(binary.LittleEndian.Uint64(request))
	}
	return binary.LittleEndian.AppendUint64(nil, math.Float64bits(total)), nil
}

func digest(_ context.Context, request []byte) ([]byte, error) {
	d := sha256.Sum256(request)
	return hex.AppendEncode(nil, d[:]), nil
}

// sleep ends early when the call's context does.
func sleep(ctx context.Context, request []byte) ([]byte, error) {
	text := strings.TrimSpace(string(request))
	ms, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return nil, fmt.Errorf("sleep takes a number of milliseconds in ASCII digits, got %.40q", text)
	}
	select {
	case <-time.After(time.Duration(ms) * time.Millisecond):
		return request, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
