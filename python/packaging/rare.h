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

#include "ahead.h"
#include "lock.h"
#include "slot.h"

enum {
    RARE = 8,                /* calls in a row for which the server has had to be woken, after which the next ones are rare as well: link's frugalAfter */
    RARE_WAIT = 200000,      /* for how many ns at most a client sleeps here: then the core does, and asks for relief */
    LONGEST_DOZE = 50000000, /* for how many ns at most a server sleeps here: then the core does, and parks */
    RARE_SLEEPS = 4,         /* how often, at most: a peer may wake a sleeper for nothing */
    MOST_RARE = 512,         /* calls in a row that a server takes here: see below */
    BRIEF = 150000,          /* sleeps of fewer ns would be spared by a spin as long as the core's longest: probeSpin of futex */
    MOST_BRIEF = 4,          /* of these in a row, after which the core spins */
};

/* A thread that comes back from the core keeps a P of Go's runtime, until the runtime's monitor takes it from it, 10 ms later: that looks some sixty times until then, a millisecond of
 * a CPU altogether. With 32 calls in a row that was more than all the rest of them. */

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

/* Wake the client whose call has been answered, if it sleeps: before anything else is done. */
static inline void
wake_caller(int64_t *box)
{
    if (box[BEFORE] & FLAG_WAITING) {
        box[BEFORE] &= ~(int64_t)FLAG_WAITING;
        wake(&slot_at((char *)(intptr_t)box[SEGMENT], box[SLOT])->reply.word);
    }
}

/* Whether the call that follows the one of a mailbox, whose reply has just been published, may be slept for here. */
static inline int
may_doze(const int64_t *box)
{
    return box[TURN_AT] != 0 && box[INTERRUPTED_AT] != 0 && box[AHEAD] < MOST_RARE && box[BRIEFLY] < MOST_BRIEF && !(box[BEFORE] & FLAG_NOTIFY);
}

/* Sleep until there is another call in a slot, and return its word, or that of the last one if something else is to be done first, by the core. It is link.Server.sleep, for a
 * server that watches this slot, as long as no call is in another one. */
static inline uint32_t
doze(int64_t *box)
{
    char *segment = (char *)(intptr_t)box[SEGMENT];
    uint64_t *ready = (uint64_t *)(segment + READY_AT), own = (uint64_t)1 << box[SLOT] % GROUPS, rung;
    uint32_t *bell = (uint32_t *)(segment + BELL_AT), *word = &slot_at(segment, box[SLOT])->request.word;
    uint32_t *interrupted = (uint32_t *)(intptr_t)box[INTERRUPTED_AT], last = (uint32_t)box[GENERATION], seen, was;
    int64_t since = monotonic();
    int sleeps, goes_on = 1;

    for (sleeps = 0; goes_on && sleeps < RARE_SLEEPS; sleeps++) {
        was = BELL_AWAKE;
        /* Comes before the loads that follow: against submit and Client.Submit, which publish, set the bit, and load the bell; and Server.Interrupt. It fails if link.Server.Close has been
         * there. */
        if (!__atomic_compare_exchange_n(bell, &was, BELL_SLEEPING, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
            break;
        }
        if (__atomic_load_n(ready, __ATOMIC_SEQ_CST) == 0 && __atomic_load_n(word, __ATOMIC_SEQ_CST) >> GENERATION_SHIFT == last &&
            __atomic_load_n(interrupted, __ATOMIC_SEQ_CST) == 0) {
            goes_on = sleep_on(bell, BELL_SLEEPING, since + LONGEST_DOZE);
        }
        was = BELL_SLEEPING; /* unless who has woken this thread has changed it already */
        __atomic_compare_exchange_n(bell, &was, BELL_AWAKE, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
        rung = __atomic_load_n(ready, __ATOMIC_SEQ_CST);
        if ((rung & ~own) != 0 || __atomic_load_n(interrupted, __ATOMIC_SEQ_CST) != 0) {
            break;
        }
        /* To take the bit comes before looking at the slot: one that is set after is for a call that is published after. */
        if (rung != 0 && !__atomic_compare_exchange_n(ready, &rung, 0, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
            break;
        }
        /* Were the bit that of several slots, it is not for this thread to take: that is for who looks at all of them. The client says that there are more before it sets it for one of
         * them, so this comes after it has been taken (docs/model, doze-used). */
        if (rung != 0 && __atomic_load_n((uint32_t *)(segment + USED_AT), __ATOMIC_SEQ_CST) > GROUPS) {
            __atomic_fetch_or(ready, own, __ATOMIC_SEQ_CST);
            break;
        }
        /* What the client has published with the word, in Client.Submit or submit, is seen after it. */
        seen = __atomic_load_n(word, __ATOMIC_SEQ_CST);
        if (seen >> GENERATION_SHIFT != last) {
            box[BRIEFLY] = monotonic() - since < BRIEF ? box[BRIEFLY] + 1 : 0;
            return seen;
        }
    }
    return last << GENERATION_SHIFT;
}

/* Sleep for the call that follows the one of a mailbox, and take it. Report whether there is one, that may be taken here; and whether the core is to be told of it now, for the
 * connection's monitor. The interpreter's lock is not needed. */
static inline int
take_rare(int64_t *box, char *stage, int *tell)
{
    const Slot *slot = slot_at((char *)(intptr_t)box[SEGMENT], box[SLOT]);
    uint32_t word, length;
    int takes;

    if (box[ENDED] == 0) {
        box[ENDED] = monotonic();
    }
    if (!change_turn(box, turn_after((uint64_t)box[TURN_WORD], 1))) { /* as leader.giveTurn; if it fails somebody else leads */
        return 0;
    }
    word = doze(box);
    takes = word >> GENERATION_SHIFT != (uint32_t)box[GENERATION] && is_alike(box, slot, word, &length);
    if (!takes) {
        word = (uint32_t)box[GENERATION] << GENERATION_SHIFT;
    }
    /* As leader.takeTurn. It comes before the load that follows, against watched.forgotten, and cannot fail, as nobody else changes a turn that has ended. */
    if (!change_turn(box, turn_after((uint64_t)box[TURN_WORD], 1) | TURN_AHEAD | word >> GENERATION_SHIFT)) {
        return 0;
    }
    if (takes) {
        expect_payload(slot->reply.payload, box[REPLY_LENGTH]);
        take(box, stage, slot, word >> GENERATION_SHIFT, length);
        box[SLEPT]++;
        *tell = __atomic_load_n((uint32_t *)(intptr_t)box[WATCHED_AT], __ATOMIC_SEQ_CST) == 0;
    }
    return takes;
}

#endif
