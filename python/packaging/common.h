/* What the C files of the core have in common. */

#ifndef NANORPC_COMMON_H
#define NANORPC_COMMON_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

enum { LINE = 64 }; /* of a CPU's caches, in bytes */

enum {
    INLINE_CAPACITY = 224, /* wire.InlineCapacity, in bytes: Exchange refuses to work with less */
    STAGED = 0,            /* the offset of a payload that is on the stage */
    COPIED = 1,            /* copiedReply of go/pycore, in the upper half of a place: the lower half is the length */
    UNIT_SHIFT = 5,        /* placeUnit of go/pycore: in the upper half of a place is the offset in units of 32 bytes */
    PENDING = -1,          /* -statusPending of go/pycore */
};

static inline int
expect(const char *function, Py_ssize_t given, Py_ssize_t wanted)
{
    if (given == wanted) {
        return 1;
    }
    PyErr_Format(PyExc_TypeError, "%s() takes %zd arguments, by position, and got %zd", function, wanted, given);
    return 0;
}

static inline int
integer(PyObject *object, int64_t *value)
{
    *value = object == NULL ? -1 : PyLong_AsLongLong(object);
    return *value != -1 || !PyErr_Occurred();
}

/* Read an integer of up to 64 bits, whose sign does not matter: for long ones this takes a tenth of the time of PyLong_AsLongLong. Of longer ones the rest is cut off. */
static inline int
masked(PyObject *object, int64_t *value)
{
    *value = object == NULL ? -1 : (int64_t)PyLong_AsUnsignedLongLongMask(object);
    return *value != -1 || !PyErr_Occurred();
}

static inline PyObject *
bytes_at(const char *from, int64_t length)
{
    return PyBytes_FromStringAndSize(from, (Py_ssize_t)length);
}

/* Return a view of bytes that nobody else has, and whose reference is taken. */
static inline PyObject *
view_of(PyObject *bytes)
{
    PyObject *view = bytes == NULL ? NULL : PyMemoryView_FromObject(bytes);

    Py_XDECREF(bytes);
    return view;
}

/* Ask for the lines of so many bytes, which are to be written soon. */
static inline void
prefetch_to_write(const char *place, int64_t length)
{
    int64_t at;

    for (at = 0; at < length; at += LINE) {
#if defined(__x86_64__)
        /* __builtin_prefetch asks for a line to be read, unless the compiler may suppose a processor that knows this: all of 64 bits execute it. */
        __asm__ volatile("prefetchw %0" : : "m"(place[at]));
#else
        __builtin_prefetch(&place[at], 1);
#endif
    }
}

#endif
