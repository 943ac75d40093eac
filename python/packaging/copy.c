/* Copies of payloads. */

#include "copy.h"

#include <string.h>

#include "core_go.h"

void
copy_bytes(char *to, const char *from, int64_t length)
{
    if (length < LONG_COPY) {
        memcpy(to, from, (size_t)length);
    } else {
        pycore_Copy((int64_t)(intptr_t)to, (int64_t)(intptr_t)from, length);
    }
}

/* As in bulk.Share. */
enum { SHARED = 16 << 10, PIECE = 16 * LINE };

static inline int64_t
least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void
share_bytes(char *to, const char *from, int64_t length)
{
    int64_t done, end;

    if (length > SHARED) {
        copy_bytes(to, from, length);
        return;
    }
    prefetch_to_write(to, least(PIECE, length));
    for (done = 0; done < length; done = end) {
        end = least(done + PIECE, length);
        prefetch_to_write(to + end, least(PIECE, length - end));
        memcpy(to + done, from + done, (size_t)(end - done));
    }
}

static inline int
overlap(const char *a, const char *b, int64_t length)
{
    uintptr_t first = (uintptr_t)a, second = (uintptr_t)b;

    return first < second + (uintptr_t)length && second < first + (uintptr_t)length;
}

PyDoc_STRVAR(copy_doc,
"copy(to, payload)\n\n"
"Copy a payload, which is an object with the buffer protocol in C order, to writable memory of the same length. Of long ones the interpreter's lock is released meanwhile.\n\n"
"Raise ValueError if the lengths differ.");

static PyObject *
copy(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t given)
{
    PyThreadState *thread;
    Py_buffer to, from;
    int fits;

    if (!expect("copy", given, 2) || PyObject_GetBuffer(arguments[0], &to, PyBUF_CONTIG) < 0) {
        return NULL;
    }
    if (PyObject_GetBuffer(arguments[1], &from, PyBUF_CONTIG_RO) < 0) {
        PyBuffer_Release(&to);
        return NULL;
    }
    fits = to.len == from.len;
    if (!fits) {
        PyErr_Format(PyExc_ValueError, "%zd bytes for memory of %zd", from.len, to.len);
    } else if (to.len < LONG_COPY && overlap(to.buf, from.buf, to.len)) {
        memmove(to.buf, from.buf, (size_t)to.len);
    } else if (to.len < LONG_COPY) {
        share_bytes(to.buf, from.buf, to.len); /* what is copied to is shared with the other end, nearly always */
    } else {
        thread = PyEval_SaveThread();
        copy_bytes(to.buf, from.buf, to.len);
        PyEval_RestoreThread(thread);
    }
    PyBuffer_Release(&from);
    PyBuffer_Release(&to);
    return fits ? Py_NewRef(Py_None) : NULL;
}

PyDoc_STRVAR(copied_doc,
"copied(memory, start, length)\n\n"
"Return a copy of a part of memory as bytes.\n\n"
"Raise ValueError where the part does not lie within it.");

static PyObject *
copied(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t given)
{
    PyObject *bytes = NULL;
    Py_buffer memory;
    int64_t start, length;

    if (!expect("copied", given, 3) || !integer(arguments[1], &start) || !integer(arguments[2], &length) ||
        PyObject_GetBuffer(arguments[0], &memory, PyBUF_CONTIG_RO) < 0) {
        return NULL;
    }
    if (start < 0 || length < 0 || start > memory.len || length > memory.len - start) {
        PyErr_Format(PyExc_ValueError, "%lld bytes at %lld do not lie within %zd", (long long)length, (long long)start, memory.len);
    } else {
        bytes = copied_bytes((const char *)memory.buf + start, length);
    }
    PyBuffer_Release(&memory);
    return bytes;
}

static PyMethodDef functions[] = {
    {"copied", (PyCFunction)(void (*)(void))copied, METH_FASTCALL, copied_doc},
    {"copy", (PyCFunction)(void (*)(void))copy, METH_FASTCALL, copy_doc},
    {NULL, NULL, 0, NULL},
};

int
add_copy(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
