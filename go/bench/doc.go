// Package bench measures how long it takes to call an echo function in another process, through NanoRPC and through what it is compared with.
//
// The transports:
//
//   - limit: two processes spin on two cache lines of shared memory, nothing else. No payload is moved, whatever the size: the
//     least that any transport between two processes costs, and a sign of how noisy the machine is.
//   - limit-copy: the same with the payload copied into shared memory, from the request's to the reply's area, and out: the floor
//     of a transport that copies.
//   - nanorpc: package nanorpc/go/nanorpc. One client is shared by all callers.
//   - nanorpc-busy, nanorpc-none: the same with a spin policy of their own, to be compared in one run.
//   - nanorpc-loan: calls without copies: request and reply are built and read in place, of which only the ends are touched.
//   - nanorpc-batch: one caller, with all calls that are to be in flight in one batch.
//   - uds: Unix stream sockets, frames with a 4-byte length, one write for each message, reused buffers. Each caller has a
//     connection and the server a goroutine for each connection.
//   - uds-batch: one caller of a Unix socket, which sends all that are to be in flight with one write.
//   - tcp: as uds, over TCP on the loopback interface, with TCP_NODELAY.
//
// Others are passed to Start, RunPeer and RunCaller: see Transport.
//
// # Method
//
// The loop is closed, unless a rate is given: each of the callers in flight makes its next call when the reply to the last has come. So a slow call
// delays the calls after it, and the figures are round-trip times, not the response times of a service under a given load.
//
// With a rate the calls are due at even intervals, taken by the callers in turn, and each is timed from when it was due: a call that has to
// wait because those before it took long is the longer for it, as it is for whoever makes it (no coordinated omission). A caller waits asleep
// until 100 µs before a call is due, and then awake, so a CPU is busy from some 10,000 calls a second for each caller on. A transport
// that cannot keep up falls further behind all the time: its calls_per_s is below the rate, and its times say how long the round was. A batch is
// due as often as fits the rate, and is timed as a whole.
//
// The server is always another process, the peer. Each pair of transport and size is a case. A run makes a number of rounds, and in each
// round measures every case once, one after another, so that what disturbs the machine for some seconds disturbs all. A case connects
// anew in each round and warms up before it is measured. Its figures are medians over the rounds; how far the rounds' p50 are apart is
// reported beside.
//
// With several clients each is a process of its own, connected to the one server; the process that runs the benchmark only says what to do. All
// warm up together, count from the same moment of the machine's monotonic clock, and go on calling when they have measured until the last
// has: none is measured while others have left. Their histograms are merged. How evenly the calls were shared out is in fair_share_low: the
// slowest client's calls per second divided by the mean of all. It takes a duration to be seen: where calls are counted a client may make its
// part of them in one turn of the scheduler.
//
// The clock is read just before and just after a call. One reading's cost, see ClockCost, is in every figure and is not subtracted.
// Each reply is compared with its request, which differs from call to call, outside the timed part. A wrong reply is an error, and its
// time counts; a call that fails is an error, ends the caller's round and has no time.
//
// CPU times are those that the kernel has counted for the client's and the server's process in the measured part, divided by the calls. What a
// caller used while it waited awake for the time at which a call is due is not in it: that is the benchmark's.
//
// Times go into HDR histograms of 3 significant digits from 1 ns to 60 s, one for each caller, merged afterwards. With one caller in all
// calls_per_s is 1e9/mean: the rate of a caller that does nothing else, since comparing replies is no part of the transport. With more it is
// calls divided by the time that they took by the clock on the wall, comparing included: there the sum of times says nothing about the rate.
// With several clients it is the sum of theirs, or, where calls are counted, all calls divided by the time until the last client has made its
// part.
package bench
