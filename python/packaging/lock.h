/* The interpreter's lock, while a thread waits for another process.
 *
 * Who releases it while another thread computes gets it back only when the interpreter takes it from that one, 5 ms later (sys.setswitchinterval): each call would take that long,
 * as with sockets. Most waits are shorter than a moment. So a thread waits for a moment with the lock, and releases it then; if it has just had to wait to get it back, for somewhat
 * longer than a moment: the other end, which has heard nothing for so long, sleeps, and has to be woken. The core does not wait so for another end in this process, as that wants the
 * lock itself. */

#ifndef NANORPC_LOCK_H
#define NANORPC_LOCK_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <time.h>

/* In ns. */
enum {
    MOMENT = 5000,         /* for how long to wait with the lock */
    LONG_MOMENT = 500000,  /* the same, in a turn: waking a process takes 50 to 200 us */
    TURN = 5000000,        /* for how long after having got the lock back */
    CONTENDED = 200000,    /* for how long the lock must not have been there for others to compute */
};

enum {
    MOST_SKIPPED = 255,
    GIVE_WAY_EVERY = 4096, /* waits of which one is not for a moment, some milliseconds' worth of short ones: a loop that is all C never lets others have the lock */
};

/* A thread's turn. It belongs to who holds the lock. */
typedef struct {
    uint32_t waits; /* those that were to be for a moment */
    int64_t taken;  /* when the thread has got the lock back, of monotonic */
    uint32_t vain;  /* long moments that are left out after the last one, which was in vain; 0: it was not */
    uint32_t skips; /* of these, those that are still to come */
} Turn;

static const Turn no_turn = {.taken = -TURN};

static inline int64_t
monotonic(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* Return for how many ns to wait with the lock; or 0, now and then: it is to be released at once. */
static inline int64_t
moment(Turn *turn)
{
    return ++turn->waits % GIVE_WAY_EVERY == 0 ? 0 : MOMENT;
}

/* Whether to wait for a long moment: it is the thread's turn, and that has not been in vain. */
static inline int
has_turn(Turn *turn)
{
    if (monotonic() - turn->taken >= TURN) {
        return 0;
    }
    if (turn->skips > 0) {
        turn->skips--;
        return 0;
    }
    return 1;
}

/* Learn from a long moment. */
static inline void
learn(Turn *turn, int in_vain)
{
    turn->vain = !in_vain ? 0 : turn->vain < MOST_SKIPPED ? 2 * turn->vain + 1 : MOST_SKIPPED;
    turn->skips = turn->vain;
}

/* Take the lock back. */
static inline void
take_back(PyThreadState *thread, Turn *turn)
{
    int64_t now, before = monotonic();

    PyEval_RestoreThread(thread);
    now = monotonic();
    if (now - before > CONTENDED) {
        turn->taken = now;
    }
}

#endif
