package main

import (
	"testing"

	"nanorpc/go/bench/peers/peertest"
)

func TestMain(m *testing.M) { peertest.Main(m, main) }

func TestTransport(t *testing.T) { peertest.Run(t, natsTransport{}) }
