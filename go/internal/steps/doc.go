// Package steps counts the instructions that another process executes, by having the kernel stop it after each (ptrace(2), PTRACE_SINGLESTEP). Tests compare what a
// call costs with what it has cost before: unlike times and the processor's own counters, which most virtual machines do not have, the counts depend neither on the
// machine nor on what else it does.
//
// The traced process marks where a region ends and the next one begins with a breakpoint instruction, runtime.Breakpoint in Go. While one of its threads is stepped all others
// stand still, so that neither a garbage collection nor a preemption of Go's gets in between. Other processes run on: to one that is stepped, a peer answers at once.
package steps
