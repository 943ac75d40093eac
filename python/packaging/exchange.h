/* See exchange.c. */

#ifndef NANORPC_EXCHANGE_H
#define NANORPC_EXCHANGE_H

#include <Python.h>

#include "lock.h"
#include "slot.h"

/* What all calls of a client have in common is looked up once: a tuple to which functions are bound. CLIENT_OF is a bytearray with a Client. */
enum { IDLE, NUMBERS, CLIENT_OF, COMMON };

typedef struct {
    int64_t number; /* of the core */
    Slots slots;
    Turn turn; /* of the threads that use the client */
} Client;

/* Return that tuple, borrowed, of what exchanger has returned; of anything else NULL, without an exception. */
PyObject *common_of(PyObject *function);

/* Whether an object can be a flag: a bytearray, whose first byte it is. */
int is_flag(PyObject *object);

static inline Client *
client_of(PyObject *common)
{
    return (Client *)PyByteArray_AS_STRING(PyTuple_GET_ITEM(common, CLIENT_OF));
}

/* Whether a flag in a tuple is set. */
int set(PyObject *common, int flag);

/* Take the last of the idle slots: return its entry, with a reference, and the slot's number. NULL if there is none, or with an exception; then nothing is taken. From then on
 * the slot is this thread's. Should anything fail, the entry goes, and its slot is known to be lost: see nanorpc._tickets. */
PyObject *take_idle(PyObject *common, int64_t *slot);

int add_exchange(PyObject *module);

#endif
