/* The slots of a segment, as go/internal/wire lays them out: for calls that need nothing of the core, as request and reply travel in the slot, and the server is looking at it.
 *
 * Go does the same in go/internal/link, but to get there and back takes longer than all the rest of a client's end. What a peer can write is read as there: once, and checked
 * before it is used. Who holds a slot, or has taken its call, holds the interpreter's lock as well, and the segment stays mapped meanwhile. */

#ifndef NANORPC_SLOT_H
#define NANORPC_SLOT_H

#include "common.h"

#include <stddef.h>
#include <string.h>

/* Offsets in a segment, in bytes. */
enum { READY_AT = 1024, BELL_AT = READY_AT + 8, USED_AT = READY_AT + 12, SLOTS_AT = 4096 };

enum { SLOTS = 256, GROUPS = 64 };

/* How much of a payload is in the line of its slot's word, in bytes. */
enum { FIRST_LINE = LINE - 32 };

enum {
    BELL_AWAKE = 0,
    BELL_SLEEPING = 1,      /* the server sleeps on the bell */
    BELL_POLLING = 1 << 16, /* | slot: the server looks at the request word of that slot */
    GENERATION_SHIFT = 8,
    GENERATION_MASK = 0xffffff,
    STATE_CALL = 1,
    FLAG_DONE = 1,
    FLAG_WAITING = 2,
    FLAG_CLOSED = 8,
    FLAG_NOTIFY = 16,
    STATUS_OK = 0,
};

typedef struct {
    uint32_t word, status, length, unused;
    uint64_t offset, unused_too;
    char payload[INLINE_CAPACITY];
} ReplyLines;

typedef struct {
    struct {
        uint32_t word, length;
        uint64_t method;
        int64_t deadline;
        uint64_t offset;
        char payload[INLINE_CAPACITY];
    } request;
    ReplyLines reply;
} Slot;

_Static_assert(sizeof(Slot) == 512 && offsetof(Slot, reply) == 256 && offsetof(Slot, request.payload) == LINE - FIRST_LINE, "a slot is another one in Go");

/* Learns whether it pays to wait. It belongs to who holds the interpreter's lock. */
typedef struct {
    uint32_t vain; /* waits in a row that have been in vain */
} Hope;

enum {
    LOOKS = 64,      /* with PAUSE between: one to three microseconds */
    HOPELESS = 4,    /* waits in vain after which most look once only */
    HOPE_AGAIN = 64, /* of those, one in so many does not */
};

/* Return how often to look. */
static inline int
hope_for(const Hope *hope)
{
    return hope->vain <= HOPELESS || hope->vain % HOPE_AGAIN == 0 ? LOOKS : 1;
}

/* Learn from a wait in vain, and return 0. */
static inline int
disappointed(Hope *hope)
{
    hope->vain++;
    return 0;
}

/* The slots of a client. They belong to who holds the interpreter's lock. */
typedef struct {
    char *segment;
    char *generations; /* of the slots' last calls, each of 32 bits: link's own. NULL: calls are left to the core */
    int64_t stride;    /* from one of them to the next */
    int may_sleep;   /* whether waits may sleep here: those of a client whose policy is adaptive */
    uint32_t roused; /* calls in a row for which the server has had to be woken */
    Hope hope;
} Slots;

static inline Slot *
slot_at(char *segment, int64_t number)
{
    return (Slot *)(segment + SLOTS_AT) + number;
}

static inline Slot *
slot_of(const Slots *slots, int64_t number)
{
    return slot_at(slots->segment, number);
}

static inline uint32_t *
generation_of(const Slots *slots, int64_t number)
{
    return (uint32_t *)(slots->generations + slots->stride * number);
}

/* Report whether a call can be made here: the core has said so, and the connection has not ended, of which link.Client.Close sets the flag. */
static inline int
is_open(const Slots *slots, int64_t number)
{
    return slots->generations != NULL && (uint64_t)number < SLOTS && (__atomic_load_n(&slot_of(slots, number)->reply.word, __ATOMIC_RELAXED) & FLAG_CLOSED) == 0;
}

/* Submit a call, and report whether the server is looking at the slot; else it is to be told by Submitted of go/pycore. The payload has INLINE_CAPACITY at most. */
static inline int
submit(const Slots *slots, int64_t number, uint64_t method, int64_t deadline, const char *payload, int64_t length)
{
    Slot *slot = slot_of(slots, number);
    uint32_t *generation = generation_of(slots, number);

    *generation = (*generation + 1) & GENERATION_MASK;
    slot->request.length = (uint32_t)length;
    slot->request.method = method;
    slot->request.deadline = deadline;
    slot->request.offset = 0;
    memcpy(slot->request.payload, payload, (size_t)length);
    /* Publishes the header and the payload to Server.take, which loads the word first; and comes before the load of the bell, as the server's store of the bell comes before its load
     * of the word. So it is in link.Client.Submit. */
    __atomic_store_n(&slot->request.word, *generation << GENERATION_SHIFT | STATE_CALL, __ATOMIC_SEQ_CST);
    return __atomic_load_n((uint32_t *)(slots->segment + BELL_AT), __ATOMIC_SEQ_CST) == (BELL_POLLING | (uint32_t)number);
}

static inline void
pause_briefly(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Ask for the lines of a slot's payload that is to be written soon, but not for its first one, which is the word's: who spins in that would have fetched it again before. See
 * futex.PrefetchWriteAfter. The length is a guess, and may be anything. */
static inline void
expect_payload(const char *payload, int64_t length)
{
    if (length > FIRST_LINE) {
        prefetch_to_write(payload + FIRST_LINE, (length < INLINE_CAPACITY ? length : INLINE_CAPACITY) - FIRST_LINE);
    }
}

/* Publish a reply of INLINE_CAPACITY at most by a word, and return the one that was there before: see link.Server.Published. */
static inline uint32_t
publish(ReplyLines *reply, uint32_t word, const char *payload, int64_t length)
{
    memcpy(reply->payload, payload, (size_t)length);
    reply->status = STATUS_OK;
    reply->length = (uint32_t)length;
    reply->offset = 0;
    /* Publishes the header and the payload to Client.Await and to answered, and takes the client's flags in the same step: Client.sleepOn sets its own by comparing and swapping. */
    return __atomic_exchange_n(&reply->word, word, __ATOMIC_SEQ_CST);
}

/* Report whether a reply word says that the reply to a slot's call is complete. */
static inline int
is_done(const Slots *slots, int64_t number, uint32_t word)
{
    return word >> GENERATION_SHIFT == *generation_of(slots, number) && word & FLAG_DONE;
}

/* Return the length of a complete reply, or -1 if it is not in the slot, or an error: that is the core's to say. */
static inline int64_t
reply_of(const Slots *slots, int64_t number)
{
    Slot *slot = slot_of(slots, number);
    uint32_t length;

    expect_payload(slot->request.payload, slot->request.length); /* as in link.Client.Recycle */
    length = __atomic_load_n(&slot->reply.length, __ATOMIC_RELAXED);
    return __atomic_load_n(&slot->reply.status, __ATOMIC_RELAXED) == STATUS_OK && length <= INLINE_CAPACITY ? (int64_t)length : -1;
}

/* Wait for the reply to a slot's call for a moment, and return its length; or -1 if it is not there, or not here. */
static inline int64_t
answered(Slots *slots, int64_t number)
{
    Slot *slot = slot_of(slots, number);
    int looks;

    for (looks = hope_for(&slots->hope); looks > 0; looks--) {
        /* What the server has published with the word, in Server.Publish, is seen after it. */
        if (is_done(slots, number, __atomic_load_n(&slot->reply.word, __ATOMIC_ACQUIRE))) {
            slots->hope.vain = 0;
            return reply_of(slots, number);
        }
        pause_briefly();
    }
    disappointed(&slots->hope);
    return -1;
}

#endif
