// Package failpoint names points of the protocol at which tests have a process die.
//
// Without the build tag failpoints all its functions are empty, and nothing is left of their calls. With it, the environment variable NANORPC_FAILPOINT=NAME[:N] has the process
// say on its standard error when it dies, in ns of CLOCK_MONOTONIC, and kill itself with SIGKILL when it comes to the point NAME for the N-th time. NANORPC_CHANCE=1 has chance decide
// what else depends on timing: how long each wait spins, from not at all, and pauses at the points. NANORPC_GENERATION=G makes G the generation of all slots before their first calls.
package failpoint
