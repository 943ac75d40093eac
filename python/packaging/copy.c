/* Copies of payloads.
 *
 * Of what is longer than a core's own cache the first bytes are gone from it when the last are copied. To have each line fetched before it is written over is in vain then, and
 * takes a third of the memory's time. glibc avoids that too, but only for what does not fit into the last cache, as the processor says it is: that belongs to many cores, and on a virtual machine to
 * others as well. Whole lines have to be written at once, which takes vectors of 64 bytes; and pages in turn, so that they come from several banks of memory and are fetched ahead
 * (glibc's large_memcpy_4x does the same). With 32 bytes there is nothing to be gained. Measured on Intel's processors alone, and done on no others: docs/benchmarks.md. */

#include "copy.h"

#include <string.h>

#if defined(__x86_64__)

#include <immintrin.h>

enum { LINE = 64, PAGE = 4096, PAGES = 4, STEP = 4 * LINE };

/* Copy some whole pages to an aligned place, past the caches. */
__attribute__((target("avx512f"))) static void
copy_pages(char *to, const char *from)
{
    int at, page, line;

    for (at = 0; at < PAGE; at += STEP) {
        for (page = 0; page < PAGES; page++) {
            for (line = 0; line < STEP; line += LINE) {
                _mm_prefetch(from + page * PAGE + at + STEP + line, _MM_HINT_T2);
            }
        }
        for (page = 0; page < PAGES; page++) {
            for (line = 0; line < STEP; line += LINE) {
                _mm512_stream_si512((void *)(to + page * PAGE + at + line), _mm512_loadu_si512(from + page * PAGE + at + line));
            }
        }
    }
}

static int
past_caches(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_is("intel");
}

static void
copy_long(char *to, const char *from, int64_t length)
{
    int64_t head = -(uintptr_t)to & (LINE - 1);

    memcpy(to, from, (size_t)head);
    for (to += head, from += head, length -= head; length >= PAGES * PAGE; length -= PAGES * PAGE) {
        copy_pages(to, from);
        to += PAGES * PAGE;
        from += PAGES * PAGE;
    }
    /* What is stored past the caches is in no order with later stores, such as of the word that publishes it (Intel's manual, volume 1, 10.4.6.2). */
    _mm_sfence();
    memcpy(to, from, (size_t)length);
}

#else

static int
past_caches(void)
{
    return 0;
}

static void
copy_long(char *to, const char *from, int64_t length)
{
    memcpy(to, from, (size_t)length);
}

#endif

void
copy_bytes(char *to, const char *from, int64_t length)
{
    if (length >= LONG_COPY && past_caches()) {
        copy_long(to, from, length);
    } else {
        memcpy(to, from, (size_t)length);
    }
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
    int fits, apart;

    if (!expect("copy", given, 2) || PyObject_GetBuffer(arguments[0], &to, PyBUF_CONTIG) < 0) {
        return NULL;
    }
    if (PyObject_GetBuffer(arguments[1], &from, PyBUF_CONTIG_RO) < 0) {
        PyBuffer_Release(&to);
        return NULL;
    }
    fits = to.len == from.len;
    apart = (char *)to.buf + to.len <= (char *)from.buf || (char *)from.buf + from.len <= (char *)to.buf;
    if (!fits) {
        PyErr_Format(PyExc_ValueError, "%zd bytes for memory of %zd", from.len, to.len);
    } else if (to.len < LONG_COPY || !apart) {
        memmove(to.buf, from.buf, (size_t)to.len);
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
