/* See exchange.c. */

#ifndef NANORPC_EXCHANGE_H
#define NANORPC_EXCHANGE_H

#include <Python.h>

/* What all calls of a client have in common is looked up once: a tuple to which functions are bound. */
enum { IDLE, NUMBERS, CLIENT, SEGMENT, COMMON };

/* Return that tuple, borrowed, of what exchanger has returned; of anything else NULL, without an exception. */
PyObject *common_of(PyObject *function);

/* Whether an object can be a flag: a bytearray, whose first byte it is. */
int is_flag(PyObject *object);

/* Whether a flag in a tuple is set. */
int set(PyObject *common, int flag);

int add_exchange(PyObject *module);

#endif
