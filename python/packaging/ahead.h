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
    SEGMENT, SLOT, GENERATION, METHOD_ID, TURN_AT, TURN_WORD, BEFORE, AHEAD, REQUEST_BYTES, REPLY_BYTES
};

enum {
    REPLY = 0,      /* the status of a reply */
    PUBLISHED = -1, /* the same, of one that has been published */
};

enum {
    MOST_AHEAD = 16,      /* calls in a row: others may have something for the worker */
    TURN_SHIFT = 25,      /* of endpoint.turn, as the next one; the lower bits are the generation */
    TURN_AHEAD = 1 << 24,
};

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

/* Begin the turn in which the call of a generation is taken, and report whether the worker leads still. */
static inline int
next_turn(int64_t *box, uint32_t generation)
{
    uint64_t turn = (uint64_t)box[TURN_WORD], next = ((turn >> TURN_SHIFT) + 2) << TURN_SHIFT | TURN_AHEAD | generation;

    /* Against conn.takeOver, which does the same with the turn that it has seen: one of the two fails. */
    if (!__atomic_compare_exchange_n((uint64_t *)(intptr_t)box[TURN_AT], &turn, next, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
        return 0;
    }
    box[TURN_WORD] = (int64_t)next;
    return 1;
}

/* Take the call that follows the one of a mailbox, whose reply has just been published, if it comes within a moment. Its request is on the stage then. */
static inline int
take_ahead(int64_t *box, char *stage, Hope *hope)
{
    char *segment = (char *)(intptr_t)box[SEGMENT];
    Slot *slot = slot_at(segment, box[SLOT]);
    uint32_t bell = BELL_POLLING | (uint32_t)box[SLOT], word = 0, length;
    int looks = hope_for(hope);

    if (box[TURN_AT] == 0 || box[AHEAD] == MOST_AHEAD || box[BEFORE] & (FLAG_WAITING | FLAG_NOTIFY)) {
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
    length = __atomic_load_n(&slot->request.length, __ATOMIC_RELAXED);
    if ((word & 0xff) != STATE_CALL || length > INLINE_CAPACITY || __atomic_load_n(&slot->request.method, __ATOMIC_RELAXED) != (uint64_t)box[METHOD_ID]) {
        return 0;
    }
    /* For as long a reply as the last one. */
    expect_payload(slot->reply.payload, box[REPLY_LENGTH]);
    if (!next_turn(box, word >> GENERATION_SHIFT)) {
        return 0;
    }
    memcpy(stage, slot->request.payload, length);
    box[REQUEST_BYTES] += box[LENGTH];
    box[REPLY_BYTES] += box[REPLY_LENGTH];
    box[AHEAD]++;
    box[GENERATION] = word >> GENERATION_SHIFT;
    box[LENGTH] = length;
    box[DEADLINE] = __atomic_load_n(&slot->request.deadline, __ATOMIC_RELAXED);
    return 1;
}

#endif
