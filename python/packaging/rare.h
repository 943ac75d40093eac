/* Rare calls: between two of them both ends sleep. To wake and to sleep is some ten microseconds, if nothing else is to be done; but a thread that has slept for a millisecond finds
 * little in its CPU's caches, and each kilobyte of code on its way is a microsecond more. So this is done here, without the core, as long as nothing comes between. */

#ifndef NANORPC_RARE_H
#define NANORPC_RARE_H

#include "common.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lock.h"
#include "slot.h"

enum {
    RARE = 8,             /* calls in a row for which the server has had to be woken, after which the next ones are rare as well: link's frugalAfter */
    RARE_WAIT = 200000,   /* for how many ns at most to sleep here: then the core asks for relief, see rousedReliefWait of link */
    RARE_SLEEPS = 4,      /* how often, at most: a peer may wake a sleeper for nothing */
};

/* Wake who sleeps on a word, as futex.Wake. */
static inline void
wake(uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* Sleep while a word has a value, until a time of monotonic, and report whether it may have changed: not at the time's end, nor after a signal. */
static inline int
sleep_on(uint32_t *word, uint32_t value, int64_t until)
{
    struct timespec end = {.tv_sec = until / 1000000000, .tv_nsec = until % 1000000000};

    return syscall(SYS_futex, word, FUTEX_WAIT_BITSET, value, &end, NULL, FUTEX_BITSET_MATCH_ANY) == 0 || errno == EAGAIN;
}

/* Have the server see a slot's call, which is published, and report whether it had to be woken for that. One that has parked is not woken: the core has a socket for that. */
static inline int
rouse(Slots *slots, int64_t number)
{
    uint32_t *bell = (uint32_t *)(slots->segment + BELL_AT), sleeping = BELL_SLEEPING;

    /* The bit comes before the bell is read, as the server's store of the bell comes before its load of the bits. So it is in link.Client.Ring. */
    __atomic_fetch_or((uint64_t *)(slots->segment + READY_AT), (uint64_t)1 << number % GROUPS, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(bell, __ATOMIC_SEQ_CST) != BELL_SLEEPING || !__atomic_compare_exchange_n(bell, &sleeping, BELL_AWAKE, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
        slots->roused = 0;
        return 0;
    }
    wake(bell);
    slots->roused++;
    return 1;
}

/* Whether to sleep at once for the reply to a call for which the server had to be woken. */
static inline int
is_rare(const Slots *slots)
{
    return slots->may_sleep && slots->roused > RARE;
}

/* Sleep until the reply to a slot's call is there, and report whether it is. The deadline is the call's. The interpreter's lock is not needed: the slot is the thread's. */
static inline int
slept(const Slots *slots, int64_t number, int64_t deadline)
{
    uint32_t *word = &slot_of(slots, number)->reply.word, seen;
    int64_t until = monotonic() + RARE_WAIT;
    int sleeps, may_be_there = 1;

    if (deadline != 0 && deadline < until) {
        until = deadline;
    }
    for (sleeps = 0; may_be_there && sleeps < RARE_SLEEPS; sleeps++) {
        /* What the server has published with the word, in Server.Publish or publish, is seen after it. */
        seen = __atomic_load_n(word, __ATOMIC_ACQUIRE);
        if (is_done(slots, number, seen)) {
            return 1;
        }
        if (seen & FLAG_CLOSED) {
            return 0;
        }
        /* The server exchanges the word, so it sees the flag exactly if the reply comes after it. link.Client.Close changes the word, and need not know of who sleeps here, as
         * that ends soon. */
        if (seen & FLAG_WAITING || __atomic_compare_exchange_n(word, &seen, seen | FLAG_WAITING, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
            may_be_there = sleep_on(word, seen | FLAG_WAITING, until);
        }
    }
    return is_done(slots, number, __atomic_load_n(word, __ATOMIC_ACQUIRE));
}

#endif
