/* The interpreter's lock, while a thread waits for another process.
 *
 * Who releases it while another thread computes gets it back only when the interpreter takes it from that one, 5 ms later (sys.setswitchinterval): each call would take that long,
 * as with sockets. Most waits are shorter than a moment. So a thread waits for a moment with the lock, and releases it then; if it has just had to wait to get it back, for somewhat
 * longer than a moment: the other end, which has heard nothing for so long, sleeps, and has to be woken. */

#ifndef NANORPC_LOCK_H
#define NANORPC_LOCK_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <time.h>

/* In ns. */
enum {
    MOMENT = 5000,         /* for how long to wait with the lock */
    LONG_MOMENT = 500000,  /* the same, during a turn: waking a process takes 50 us */
    TURN = 5000000,        /* for how long after having got the lock back */
    CONTENDED = 200000,    /* for how long the lock must not have been there for others to compute */
};

static inline int64_t
monotonic(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* Whether it is the thread's turn: it has just had to wait to get the lock back. Taken is when. */
static inline int
is_turn(const int64_t *taken)
{
    return monotonic() - *taken < TURN;
}

/* Take the lock back. */
static inline void
take_back(PyThreadState *thread, int64_t *taken)
{
    int64_t now, before = monotonic();

    PyEval_RestoreThread(thread);
    now = monotonic();
    if (now - before > CONTENDED) {
        *taken = now;
    }
}

#endif
