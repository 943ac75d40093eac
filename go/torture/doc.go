// Package torture has the tests that kill, stop and starve processes to find out what NanoRPC loses: docs/reliability.md tells what came of them. They are in small with the other
// tests, and of full size with make torture.
package torture
