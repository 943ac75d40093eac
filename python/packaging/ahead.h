/* A worker's mailbox, and the calls that its thread takes ahead: those that follow the one that WorkerNext has returned, at once and in the same slot. To get into Go and back takes
 * longer than all the rest of a server's end of a short call; so that is done once in so many calls. go/internal/endpoint/ahead.go says how the leadership of the connection is kept. */

#ifndef NANORPC_AHEAD_H
#define NANORPC_AHEAD_H

#include "common.h"

#include <string.h>

#include "slot.h"

/* The integers of a mailbox: the list is that of go/pycore/worker.go. */
enum {
    CONNECTION, OFFSET, LENGTH, DEADLINE, STATUS, REPLY_OFFSET, REPLY_LENGTH, METHOD, ADDRESS,
    SEGMENT, SLOT, GENERATION, METHOD_ID, TURN_AT, TURN_WORD, BEFORE, AHEAD, REQUEST_BYTES, REPLY_BYTES, INTERRUPTED_AT, WATCHED_AT, SLEPT, BRIEFLY, ENDED
};

enum {
    REPLY = 0,      /* the status of a reply */
    PUBLISHED = -1, /* the same, of one that has been published */
};

enum {
    MOST_AHEAD = 16,      /* calls in a row: others may have something for the worker */
    TURN_SHIFT = 25,      /* of endpoint.turn; the lower bits are the generation */
    TURN_AHEAD = 1 << 24,
};

/* Return the turn that comes so many after another one, without a call. */
static inline uint64_t
turn_after(uint64_t turn, int turns)
{
    return ((turn >> TURN_SHIFT) + (uint64_t)turns) << TURN_SHIFT;
}

/* Change the turn of a mailbox, and report whether the worker leads still: against conn.takeOver, which does the same with the turn that it has seen. One of the two fails. */
static inline int
change_turn(int64_t *box, uint64_t next)
{
    uint64_t turn = (uint64_t)box[TURN_WORD];

    if (!__atomic_compare_exchange_n((uint64_t *)(intptr_t)box[TURN_AT], &turn, next, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
        return 0;
    }
    box[TURN_WORD] = (int64_t)next;
    return 1;
}

/* Publish the reply to the call of a mailbox, of INLINE_CAPACITY at most, and report whether that may be done here. */
static inline int
published(int64_t *box, const char *payload, int64_t length)
{
    if (box[SEGMENT] == 0) {
        return 0;
    }
    box[BEFORE] = publish(&slot_at((char *)(intptr_t)box[SEGMENT], box[SLOT])->reply, (uint32_t)box[GENERATION] << GENERATION_SHIFT | FLAG_DONE, payload, length);
    box[STATUS] = PUBLISHED;
    box[REPLY_LENGTH] = length;
    return 1;
}

/* Report whether a call that follows may be taken here: what the word says, and what comes with it. */
static inline int
is_alike(const int64_t *box, const Slot *slot, uint32_t word, uint32_t *length)
{
    *length = __atomic_load_n(&slot->request.length, __ATOMIC_RELAXED);
    return (word & 0xff) == STATE_CALL && *length <= INLINE_CAPACITY && __atomic_load_n(&slot->request.method, __ATOMIC_RELAXED) == (uint64_t)box[METHOD_ID];
}

/* Make the call whose turn has begun that of the mailbox. Its request is on the stage then. */
static inline void
take(int64_t *box, char *stage, const Slot *slot, uint32_t generation, uint32_t length)
{
    memcpy(stage, slot->request.payload, length);
    box[REQUEST_BYTES] += box[LENGTH];
    box[REPLY_BYTES] += box[REPLY_LENGTH];
    box[AHEAD]++;
    box[GENERATION] = generation;
    box[LENGTH] = length;
    box[DEADLINE] = __atomic_load_n(&slot->request.deadline, __ATOMIC_RELAXED);
}

/* Take the call that follows the one of a mailbox, whose reply has just been published, if it comes within a moment. */
static inline int
take_ahead(int64_t *box, char *stage, Hope *hope)
{
    char *segment = (char *)(intptr_t)box[SEGMENT];
    Slot *slot = slot_at(segment, box[SLOT]);
    uint32_t bell = BELL_POLLING | (uint32_t)box[SLOT], word = 0, length;
    int looks = hope_for(hope);

    if (box[TURN_AT] == 0 || box[INTERRUPTED_AT] != 0 || box[AHEAD] == MOST_AHEAD || box[BEFORE] & (FLAG_WAITING | FLAG_NOTIFY)) {
        return 0;
    }
    for (;; looks--) {
        if (looks == 0) {
            return disappointed(hope);
        }
        /* Whatever else there is for the leader changes one of these words: other calls, or the connection's end. They need no order: what is seen too late is seen in Go. */
        if (__atomic_load_n((uint64_t *)(segment + READY_AT), __ATOMIC_RELAXED) != 0 || __atomic_load_n((uint32_t *)(segment + BELL_AT), __ATOMIC_RELAXED) != bell) {
            return 0;
        }
        /* What the client has published with the word, in Client.Submit or submit, is seen after it. */
        word = __atomic_load_n(&slot->request.word, __ATOMIC_ACQUIRE);
        if (word >> GENERATION_SHIFT != (uint32_t)box[GENERATION]) {
            break;
        }
        pause_briefly();
    }
    hope->vain = 0;
    if (!is_alike(box, slot, word, &length)) {
        return 0;
    }
    /* For as long a reply as the last one. */
    expect_payload(slot->reply.payload, box[REPLY_LENGTH]);
    if (!change_turn(box, turn_after((uint64_t)box[TURN_WORD], 2) | TURN_AHEAD | word >> GENERATION_SHIFT)) {
        return 0;
    }
    take(box, stage, slot, word >> GENERATION_SHIFT, length);
    return 1;
}

#endif
