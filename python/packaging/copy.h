/* Copies of payloads. */

#ifndef NANORPC_COPY_H
#define NANORPC_COPY_H

#include "common.h"

/* From this length on, in bytes, copies are left to Go, which makes them otherwise than memcpy: bulk.Long, see go/internal/bulk. */
enum { LONG_COPY = 4 << 20 };

/* Copy bytes between places that do not overlap. It does not need the interpreter's lock. */
void copy_bytes(char *to, const char *from, int64_t length);

/* copy_bytes to memory that another process has read before: bulk.Share, see go/internal/bulk. */
void share_bytes(char *to, const char *from, int64_t length);

/* Return a copy as bytes. */
static inline PyObject *
copied_bytes(const char *from, int64_t length)
{
    PyObject *bytes;

    if (length < LONG_COPY) {
        return bytes_at(from, length);
    }
    bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)length);
    if (bytes != NULL) {
        copy_bytes(PyBytes_AS_STRING(bytes), from, length);
    }
    return bytes;
}

int add_copy(PyObject *module);

#endif
