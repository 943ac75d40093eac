/* Calls with bytes, with one function of C at each end. The steps are those of Channel.call and of Worker._serve, for the calls that most calls
 * are; in bytecode they take as long as the rest of the round trip. Any other call these functions leave to Python.
 *
 * Both may be called from any thread that holds the interpreter's lock, and release it while they wait. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <string.h>
#include <time.h>

#include "core_go.h"

enum {
    INLINE_CAPACITY = 224, /* wire.InlineCapacity, in bytes: Exchange refuses to work with less */
    UNDONE = 0,            /* the result of an Exchange that has done nothing */
    COPIED = 1,            /* copiedReply of go/pycore, in the upper half of a result: the lower half is the length */
    STAGED = 0,            /* the offset of a payload that is on the stage */
    REPLY = 0,             /* the status of a reply */
    UNIT_SHIFT = 5,        /* placeUnit of go/pycore: in the upper half of a place is the offset in units of 32 bytes */
    KEPT_FROM = 1 << 16,   /* replies from this length on, in bytes, Python may leave where they lie: see Channel.call */
};

/* A worker's mailbox: the list is that of go/pycore/worker.go. */
enum { CONNECTION, OFFSET, LENGTH, DEADLINE, STATUS, REPLY_OFFSET, REPLY_LENGTH, METHOD, ADDRESS };

static int
expect(const char *function, Py_ssize_t given, Py_ssize_t wanted)
{
    if (given == wanted) {
        return 1;
    }
    PyErr_Format(PyExc_TypeError, "%s() takes %zd arguments, by position, and got %zd", function, wanted, given);
    return 0;
}

static int
integer(PyObject *object, int64_t *value)
{
    *value = object == NULL ? -1 : PyLong_AsLongLong(object);
    return *value != -1 || !PyErr_Occurred();
}

static int64_t
address(const void *memory)
{
    return (int64_t)(intptr_t)memory;
}

static PyObject *
bytes_at(int64_t from, int64_t length)
{
    return PyBytes_FromStringAndSize((const char *)(intptr_t)from, (Py_ssize_t)length);
}

/* What all calls of a client have in common is looked up once: a tuple to which the function is bound. */
enum { IDLE, NUMBERS, CLIENT, SEGMENT, COMMON };

PyDoc_STRVAR(exchange_doc,
"exchange(method, payload, deadline)\n\n"
"Make a call in the last of the idle slots, and return the reply, if that has less than 64 KiB. The slot is idle again then. Blocks for a slice at\n"
"most; the deadline is in ns of CLOCK_MONOTONIC, 0 for none.\n\n"
"Return None where this cannot be: the payload is no bytes, the method's number is not known, no slot is idle, or there is no room for the request, now\n"
"or ever. Nothing has been done then.\n"
"Return the slot's entry and Exchange's result for a call that has not ended so: the entry is the caller's, who goes on.");

static PyObject *
exchanged(PyObject *common, PyObject *method, PyObject *payload, int64_t deadline)
{
    PyObject *idle, *known, *entry, *reply;
    PyThreadState *thread;
    Py_ssize_t last;
    int64_t client, slot, result;
    uint64_t number, segment;
    char copied[INLINE_CAPACITY];

    if (!integer(PyTuple_GET_ITEM(common, CLIENT), &client)) {
        return NULL;
    }
    if (!PyBytes_CheckExact(payload)) {
        Py_RETURN_NONE;
    }
    known = PyDict_GetItemWithError(PyTuple_GET_ITEM(common, NUMBERS), method);
    if (known == NULL && !PyErr_Occurred()) {
        Py_RETURN_NONE;
    }
    /* Methods' numbers have 64 bits, for which this takes a tenth of the time of PyLong_AsLongLong; so it does for the segment's address below. */
    number = known == NULL ? (uint64_t)-1 : PyLong_AsUnsignedLongLongMask(known);
    if (number == (uint64_t)-1 && PyErr_Occurred()) {
        return NULL;
    }
    idle = PyTuple_GET_ITEM(common, IDLE);
    last = PyList_GET_SIZE(idle) - 1;
    if (last < 0) {
        Py_RETURN_NONE;
    }
    entry = PyList_GET_ITEM(idle, last);
    if (!integer(PyTuple_GetItem(entry, 0), &slot)) {
        return NULL;
    }
    /* From here on the slot is this thread's. Should anything fail, the entry goes, and its slot is known to be lost: see nanorpc._tickets. */
    Py_INCREF(entry);
    if (PyList_SetSlice(idle, last, last + 1, NULL) < 0) {
        Py_DECREF(entry);
        return NULL;
    }
    /* Bytes do not change, and the caller has them: they stay where they are without the lock. */
    thread = PyEval_SaveThread();
    result = pycore_Exchange(client, slot, (int64_t)number, address(PyBytes_AS_STRING(payload)), PyBytes_GET_SIZE(payload), deadline,
                             address(copied), sizeof copied);
    PyEval_RestoreThread(thread);
    if (result >> 32 == COPIED) {
        reply = PyBytes_FromStringAndSize(copied, (Py_ssize_t)(result & UINT32_MAX));
    } else if (result > 0 && (result & UINT32_MAX) < KEPT_FROM) {
        /* The segment stays mapped while the slot is held. */
        segment = PyLong_AsUnsignedLongLongMask(PyTuple_GET_ITEM(common, SEGMENT));
        reply = bytes_at((int64_t)segment + (result >> 32 << UNIT_SHIFT), result & UINT32_MAX);
        pycore_Recycle(client, slot);
    } else if (result == UNDONE) {
        reply = Py_NewRef(Py_None);
    } else {
        return Py_BuildValue("NL", entry, (long long)result);
    }
    if (PyList_Append(idle, entry) < 0) {
        Py_CLEAR(reply);
    }
    Py_DECREF(entry);
    return reply;
}

static PyObject *
exchange(PyObject *common, PyObject *const *arguments, Py_ssize_t given)
{
    int64_t deadline;

    if (!expect("exchange", given, 3) || !integer(arguments[2], &deadline)) {
        return NULL;
    }
    return exchanged(common, arguments[0], arguments[1], deadline);
}

static PyMethodDef exchange_definition = {"exchange", (PyCFunction)(void (*)(void))exchange, METH_FASTCALL, exchange_doc};

PyDoc_STRVAR(exchanger_doc,
"exchanger(idle, numbers, client, segment)\n\n"
"Return the function that makes calls of a client with bytes: exchange(method, payload, deadline). Numbers are those of methods; idle has tuples that\n"
"begin with a slot, which nobody uses: those that are in it may be taken from its end, and added there, by any thread that holds the interpreter's\n"
"lock. The segment's address is ClientAddress.");

static PyObject *
exchanger(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t given)
{
    PyObject *common, *function;
    int64_t number;

    if (!expect("exchanger", given, COMMON) || !integer(arguments[CLIENT], &number) || !integer(arguments[SEGMENT], &number)) {
        return NULL;
    }
    if (!PyList_CheckExact(arguments[IDLE]) || !PyDict_CheckExact(arguments[NUMBERS])) {
        PyErr_SetString(PyExc_TypeError, "exchanger() takes a list, a dict and two integers");
        return NULL;
    }
    common = PyTuple_Pack(COMMON, arguments[IDLE], arguments[NUMBERS], arguments[CLIENT], arguments[SEGMENT]);
    if (common == NULL) {
        return NULL;
    }
    function = PyCFunction_New(&exchange_definition, common);
    Py_DECREF(common);
    return function;
}

/* What the function that makes whole calls has beside: the tuple of the one above first. */
enum { EXCHANGER, FORKED, RETURNING, DROP_IDLE, CONCLUDE, OTHERWISE, WHOLE };

/* Read the arguments by name: keep, a bool, and the timeout, of which comes a deadline. Return 0 if there is anything else, or a timeout that is unusual. */
static int
options(PyObject *const *values, PyObject *names, int *keep, int64_t *deadline)
{
    struct timespec now;
    PyObject *name;
    Py_ssize_t i;
    double timeout;

    for (i = 0; names != NULL && i < PyTuple_GET_SIZE(names); i++) {
        name = PyTuple_GET_ITEM(names, i);
        if (PyBool_Check(values[i])) {
            if (PyUnicode_CompareWithASCIIString(name, "keep") != 0) {
                return 0;
            }
            *keep = values[i] == Py_True;
        } else if (PyUnicode_CompareWithASCIIString(name, "timeout") != 0) {
            return 0;
        } else if (values[i] != Py_None) {
            timeout = PyFloat_CheckExact(values[i]) ? PyFloat_AS_DOUBLE(values[i]) : PyLong_CheckExact(values[i]) ? PyLong_AsDouble(values[i]) : 0;
            if (!(timeout > 1e-6 && timeout < 1e9)) {
                PyErr_Clear(); /* of an int too large for a double */
                return 0;
            }
            clock_gettime(CLOCK_MONOTONIC, &now);
            *deadline = now.tv_sec * 1000000000LL + now.tv_nsec + (int64_t)(timeout * 1e9);
        }
    }
    return 1;
}

static int
set(PyObject *common, int flag)
{
    return PyByteArray_AS_STRING(PyTuple_GET_ITEM(common, flag))[0] != 0;
}

PyDoc_STRVAR(call_doc,
"call($self, method, payload=b'', *, timeout=None, keep=False)\n--\n\n"
"Make a call: see nanorpc.Client.call. Those that are no exchange are left to nanorpc._channel.Channel.call.");

static PyObject *
call(PyObject *common, PyObject *const *arguments, Py_ssize_t given, PyObject *names)
{
    PyObject *got, *done, *concluded;
    int64_t deadline = 0;
    int keep = 0, is_short;

    if (given != 2 || set(common, FORKED) || !options(arguments + given, names, &keep, &deadline)) {
        return PyObject_Vectorcall(PyTuple_GET_ITEM(common, OTHERWISE), arguments, (size_t)given, names);
    }
    got = exchanged(PyTuple_GET_ITEM(common, EXCHANGER), arguments[0], arguments[1], deadline);
    if (got == Py_None) {
        Py_DECREF(got);
        return PyObject_Vectorcall(PyTuple_GET_ITEM(common, OTHERWISE), arguments, (size_t)given, names);
    }
    if (got == NULL) {
        return NULL;
    }
    if (PyBytes_CheckExact(got)) {
        if (set(common, RETURNING)) { /* after the slot is idle again: who sets it looks at the idle slots then */
            done = PyObject_CallNoArgs(PyTuple_GET_ITEM(common, DROP_IDLE));
            if (done == NULL) {
                Py_CLEAR(got);
            }
            Py_XDECREF(done);
        }
        return got;
    }
    is_short = PyBytes_GET_SIZE(arguments[1]) <= INLINE_CAPACITY;
    concluded = PyObject_CallFunction(PyTuple_GET_ITEM(common, CONCLUDE), "OOOLOO", PyTuple_GET_ITEM(got, 0), PyTuple_GET_ITEM(got, 1), arguments[0],
                                      (long long)deadline, keep ? Py_True : Py_False, is_short ? Py_True : Py_False);
    Py_DECREF(got);
    return concluded;
}

static PyMethodDef call_definition = {"call", (PyCFunction)(void (*)(void))call, METH_FASTCALL | METH_KEYWORDS, call_doc};

PyDoc_STRVAR(caller_doc,
"caller(exchange, forked, returning, drop_idle, conclude, otherwise)\n\n"
"Return the function that makes whole calls: call(method, payload=b'', *, timeout=None, keep=False). The first is of exchanger. Two bytearrays say whether\n"
"this process was forked, and whether idle slots go back to the core, for which drop_idle is called then; the others are methods of Channel.");

static PyObject *
caller(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t given)
{
    PyObject *common, *function;

    if (!expect("caller", given, WHOLE)) {
        return NULL;
    }
    if (!PyCFunction_Check(arguments[EXCHANGER]) || PyCFunction_GET_FUNCTION(arguments[EXCHANGER]) != exchange_definition.ml_meth ||
        !PyByteArray_CheckExact(arguments[FORKED]) || !PyByteArray_CheckExact(arguments[RETURNING]) ||
        PyByteArray_GET_SIZE(arguments[FORKED]) == 0 || PyByteArray_GET_SIZE(arguments[RETURNING]) == 0) {
        PyErr_SetString(PyExc_TypeError, "caller() takes what exchanger() has returned, two bytearrays and three functions");
        return NULL;
    }
    common = PyTuple_Pack(WHOLE, PyCFunction_GET_SELF(arguments[EXCHANGER]), arguments[FORKED], arguments[RETURNING], arguments[DROP_IDLE],
                          arguments[CONCLUDE], arguments[OTHERWISE]);
    if (common == NULL) {
        return NULL;
    }
    function = PyCFunction_New(&call_definition, common);
    Py_DECREF(common);
    return function;
}

PyDoc_STRVAR(serve_doc,
"serve(worker, functions, longest, mailbox, stage)\n\n"
"Run calls, as long as methods have functions from bytes to bytes or None: functions has them by the methods' numbers, and None for the others;\n"
"longest has the length of the longest request that is copied for them. Blocks, without slices: see WorkerNext. Mailbox and stage are the addresses\n"
"that WorkerNew got.\n\n"
"Return what WorkerNext has returned, and None, for what is to be run or dealt with otherwise; or the reply, if it is something else than bytes.\n"
"Raise what a method raises. In all cases it is the caller who answers, before the next call of this.");

/* Make the bytes of the request that WorkerNext has told of; or None, with a new reference too, if it is not to be copied. */
static PyObject *
request_of(const int64_t *box, const char *stage, PyObject *longest)
{
    int64_t most;

    if (box[OFFSET] == STAGED) {
        return PyBytes_FromStringAndSize(stage, (Py_ssize_t)box[LENGTH]);
    }
    if (!integer(PyTuple_GetItem(longest, (Py_ssize_t)box[METHOD]), &most)) {
        return NULL;
    }
    return box[LENGTH] <= most ? bytes_at(box[ADDRESS], box[LENGTH]) : Py_NewRef(Py_None);
}

/* Leave the reply to WorkerNext, with what says where it lies, unless there is no room for it: then the caller has been told. */
static void
leave(int64_t worker, int64_t *box, char *stage, PyObject *reply)
{
    PyThreadState *thread;
    Py_ssize_t length = PyBytes_GET_SIZE(reply);
    int64_t offset = STAGED;

    if (length > INLINE_CAPACITY) {
        thread = PyEval_SaveThread(); /* there may be no room for a while */
        offset = pycore_WorkerReserve(worker, length);
        PyEval_RestoreThread(thread);
        if (offset < 0) {
            return;
        }
        stage = (char *)(intptr_t)box[ADDRESS];
    }
    memcpy(stage, PyBytes_AS_STRING(reply), (size_t)length);
    box[STATUS] = REPLY;
    box[REPLY_OFFSET] = offset;
    box[REPLY_LENGTH] = length;
}

static PyObject *
serve(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t given)
{
    PyObject *function, *request, *reply;
    PyThreadState *thread;
    int64_t worker, mailbox, memory, number, *box;
    char *stage;

    if (!expect("serve", given, 5) || !integer(arguments[0], &worker) || !integer(arguments[3], &mailbox) || !integer(arguments[4], &memory)) {
        return NULL;
    }
    box = (int64_t *)(intptr_t)mailbox;
    stage = (char *)(intptr_t)memory;
    for (;;) {
        thread = PyEval_SaveThread();
        number = pycore_WorkerNext(worker);
        PyEval_RestoreThread(thread);
        function = number < 0 ? Py_None : PyTuple_GetItem(arguments[1], (Py_ssize_t)number);
        if (function == NULL) {
            return NULL;
        }
        request = function == Py_None ? Py_NewRef(Py_None) : request_of(box, stage, arguments[2]);
        if (request == NULL) {
            return NULL;
        }
        if (request == Py_None) {
            return Py_BuildValue("LN", (long long)number, request);
        }
        reply = PyObject_CallOneArg(function, request);
        Py_DECREF(request);
        if (reply == Py_None) {
            Py_DECREF(reply);
            reply = PyBytes_FromStringAndSize(NULL, 0);
        }
        if (reply == NULL) {
            return NULL;
        }
        if (!PyBytes_CheckExact(reply)) {
            return Py_BuildValue("LN", (long long)number, reply);
        }
        leave(worker, box, stage, reply);
        Py_DECREF(reply); /* before the wait: it may be the last that is left of something large */
    }
}

PyMethodDef exchange_functions[] = {
    {"caller", (PyCFunction)(void (*)(void))caller, METH_FASTCALL, caller_doc},
    {"exchanger", (PyCFunction)(void (*)(void))exchanger, METH_FASTCALL, exchanger_doc},
    {"serve", (PyCFunction)(void (*)(void))serve, METH_FASTCALL, serve_doc},
    {NULL, NULL, 0, NULL},
};
