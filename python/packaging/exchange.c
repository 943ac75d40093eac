/* A client's end of calls with bytes, in one function of C. In bytecode its steps, which are those of Channel.call, take as long as the rest of the round trip. Any other call
 * it leaves to Python.
 *
 * It may be called from any thread that holds the interpreter's lock, and releases it while it waits, but for the first moment: see lock.h. Short calls that are answered at once
 * are made here, without the core: see slot.h. */

#include "common.h"

#include "copy.h"
#include "core_go.h"
#include "exchange.h"
#include "rare.h"

enum {
    UNDONE = 0,          /* the result of an Exchange that has done nothing */
    SHORT = 16 << 10,    /* up to so many bytes, copying a request takes no longer than a moment */
    KEPT_FROM = 1 << 16, /* replies from this length on, in bytes, Python may leave where they lie: see Channel.call */
};

static int64_t
address(const void *memory)
{
    return (int64_t)(intptr_t)memory;
}

PyObject *
take_idle(PyObject *common, int64_t *slot)
{
    PyObject *entry, *idle = PyTuple_GET_ITEM(common, IDLE);
    Py_ssize_t last = PyList_GET_SIZE(idle) - 1;

    if (last < 0) {
        return NULL;
    }
    entry = PyList_GET_ITEM(idle, last);
    if (!integer(PyTuple_GetItem(entry, 0), slot)) {
        return NULL;
    }
    Py_INCREF(entry);
    if (PyList_SetSlice(idle, last, last + 1, NULL) < 0) {
        Py_CLEAR(entry);
    }
    return entry;
}

/* A request. Bytes do not change, and the caller has them: they stay where they are without the lock. */
typedef struct {
    int64_t method, deadline, length;
    const char *payload;
} Request;

/* How far a call has come here. */
typedef enum { NOT_YET, SUBMITTED, ROUSED } Step;

/* Make a call in the core, or wait for one that has been submitted: see lock.h. Return what Exchange does; a short reply has been copied. */
static int64_t
in_core(Client *client, int64_t slot, const Request *r, Step step, int64_t within, char *copied)
{
    PyThreadState *thread = within == 0 ? PyEval_SaveThread() : NULL;
    int64_t result, to = address(copied);

    if (step == NOT_YET) {
        result = pycore_Exchange(client->number, slot, r->method, address(r->payload), r->length, r->deadline, to, INLINE_CAPACITY, within);
    } else {
        result = pycore_Submitted(client->number, slot, r->length, step == ROUSED, r->deadline, to, INLINE_CAPACITY, within);
    }
    if (thread == NULL && result == PENDING && has_turn(&client->turn)) {
        result = pycore_Exchanged(client->number, slot, r->length, r->deadline, to, INLINE_CAPACITY, LONG_MOMENT);
        learn(&client->turn, result == PENDING);
    }
    if (thread == NULL && result == PENDING) {
        thread = PyEval_SaveThread();
        result = pycore_Exchanged(client->number, slot, r->length, r->deadline, to, INLINE_CAPACITY, 0);
    }
    if (thread != NULL) {
        take_back(thread, &client->turn);
    }
    return result;
}

/* Wait for the reply to a rare call, and return its length; or -1 if it is not there, or not here. */
static int64_t
answered_rarely(Client *client, int64_t slot, int64_t deadline)
{
    PyThreadState *thread = PyEval_SaveThread();
    int done = slept(&client->slots, slot, deadline);

    take_back(thread, &client->turn);
    if (!done) {
        client->slots.roused = 0; /* these take long: the core sleeps for as long as it takes */
        return -1;
    }
    return reply_of(&client->slots, slot);
}

/* Make a call, here if it can be, else in the core. Return what Exchange does, and where a short reply is, which may be in what there is for a copy. */
static int64_t
made(Client *client, int64_t slot, const Request *r, char *copied, const char **reply)
{
    int64_t within = r->length > SHORT ? 0 : moment(&client->turn), length = -1;
    Slots *slots = &client->slots;
    Step step = NOT_YET;

    if (within != 0 && r->length <= INLINE_CAPACITY && is_open(slots, slot)) {
        step = SUBMITTED;
        if (submit(slots, slot, (uint64_t)r->method, r->deadline, r->payload, r->length)) {
            slots->roused = 0;
            length = answered(slots, slot);
        } else if (rouse(slots, slot)) {
            step = ROUSED;
            if (is_rare(slots) && !has_turn(&client->turn)) {
                length = answered_rarely(client, slot, r->deadline);
            }
        }
        if (length >= 0) {
            *reply = slot_of(slots, slot)->reply.payload;
            return (int64_t)COPIED << 32 | length;
        }
    }
    *reply = copied;
    return in_core(client, slot, r, step, within, copied);
}

PyDoc_STRVAR(exchange_doc,
"exchange(method, payload, deadline, keep)\n\n"
"Make a call in the last of the idle slots, and return the reply; but one of 64 KiB or more not if that may be kept where it lies. The slot is idle\n"
"again then. Blocks for a slice at most; the deadline is in ns of CLOCK_MONOTONIC, 0 for none.\n\n"
"Return None where this cannot be: the payload is no bytes, the method's number is not known, no slot is idle, or there is no room for the request, now\n"
"or ever. Nothing has been done then.\n"
"Return the slot's entry and Exchange's result for a call that has not ended so: the entry is the caller's, who goes on.");

static PyObject *
exchanged(PyObject *common, PyObject *method, PyObject *payload, int64_t deadline, int keep)
{
    Client *client = client_of(common);
    Request request = {.deadline = deadline};
    PyObject *known, *entry, *reply;
    int64_t slot, result;
    const char *at;
    char copied[INLINE_CAPACITY];

    if (!PyBytes_CheckExact(payload)) {
        Py_RETURN_NONE;
    }
    known = PyDict_GetItemWithError(PyTuple_GET_ITEM(common, NUMBERS), method);
    if (known == NULL && !PyErr_Occurred()) {
        Py_RETURN_NONE;
    }
    if (!masked(known, &request.method)) {
        return NULL;
    }
    entry = take_idle(common, &slot);
    if (entry == NULL) {
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    }
    request.payload = PyBytes_AS_STRING(payload);
    request.length = PyBytes_GET_SIZE(payload);
    result = made(client, slot, &request, copied, &at);
    if (result >> 32 == COPIED) {
        reply = bytes_at(at, result & UINT32_MAX);
    } else if (result > 0 && (!keep || (result & UINT32_MAX) < KEPT_FROM)) {
        /* The segment stays mapped while the slot is held. */
        reply = copied_bytes(client->slots.segment + (result >> 32 << UNIT_SHIFT), result & UINT32_MAX);
        pycore_Recycle(client->number, slot);
    } else if (result == UNDONE) {
        reply = Py_NewRef(Py_None);
    } else {
        return Py_BuildValue("NL", entry, (long long)result);
    }
    if (PyList_Append(PyTuple_GET_ITEM(common, IDLE), entry) < 0) {
        Py_CLEAR(reply);
    }
    Py_DECREF(entry);
    return reply;
}

static PyObject *
exchange(PyObject *common, PyObject *const *arguments, Py_ssize_t given)
{
    int64_t deadline;
    int keep;

    if (!expect("exchange", given, 4) || !integer(arguments[2], &deadline)) {
        return NULL;
    }
    keep = PyObject_IsTrue(arguments[3]);
    return keep < 0 ? NULL : exchanged(common, arguments[0], arguments[1], deadline, keep);
}

static PyMethodDef exchange_definition = {"exchange", (PyCFunction)(void (*)(void))exchange, METH_FASTCALL, exchange_doc};

PyDoc_STRVAR(exchanger_doc,
"exchanger(idle, numbers, client, segment, generations, stride, may_sleep)\n\n"
"Return the function that makes calls of a client with bytes: exchange(method, payload, deadline, keep). Numbers are those of methods; idle has tuples that\n"
"begin with a slot, which nobody uses: those that are in it may be taken from its end, and added there, by any thread that holds the interpreter's\n"
"lock. The segment's address is ClientAddress, that of the generations ClientGenerations, the stride GenerationStride, and what may sleep\n"
"ClientSleeps.");

static PyObject *
exchanger(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t given)
{
    Client client = {.turn = no_turn};
    PyObject *common, *function, *state;
    int64_t segment, generations, may_sleep;

    if (!expect("exchanger", given, 7)) {
        return NULL;
    }
    if (!PyList_CheckExact(arguments[IDLE]) || !PyDict_CheckExact(arguments[NUMBERS])) {
        PyErr_SetString(PyExc_TypeError, "exchanger() takes a list, a dict and five integers");
        return NULL;
    }
    if (!integer(arguments[2], &client.number) || !integer(arguments[3], &segment) || !integer(arguments[4], &generations) ||
        !integer(arguments[5], &client.slots.stride) || !integer(arguments[6], &may_sleep)) {
        return NULL;
    }
    client.slots.may_sleep = may_sleep != 0;
    client.slots.segment = (char *)(intptr_t)segment;
    client.slots.generations = (char *)(intptr_t)generations;
    state = PyByteArray_FromStringAndSize((const char *)&client, sizeof client);
    if (state == NULL) {
        return NULL;
    }
    common = PyTuple_Pack(COMMON, arguments[IDLE], arguments[NUMBERS], state);
    Py_DECREF(state);
    if (common == NULL) {
        return NULL;
    }
    function = PyCFunction_New(&exchange_definition, common);
    Py_DECREF(common);
    return function;
}

PyObject *
common_of(PyObject *function)
{
    if (!PyCFunction_Check(function) || PyCFunction_GET_FUNCTION(function) != exchange_definition.ml_meth) {
        return NULL;
    }
    return PyCFunction_GET_SELF(function);
}

int
is_flag(PyObject *object)
{
    return PyByteArray_CheckExact(object) && PyByteArray_GET_SIZE(object) > 0;
}

int
set(PyObject *common, int flag)
{
    return PyByteArray_AS_STRING(PyTuple_GET_ITEM(common, flag))[0] != 0;
}

/* What the function that makes whole calls has beside: the tuple of the one above first. */
enum { EXCHANGER, FORKED, RETURNING, DROP_IDLE, CONCLUDE, OTHERWISE, WHOLE };

/* Read the arguments by name: keep, a bool, and the timeout, of which comes a deadline. Return 0 if there is anything else, or a timeout that is unusual. */
static int
options(PyObject *const *values, PyObject *names, int *keep, int64_t *deadline)
{
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
            *deadline = monotonic() + (int64_t)(timeout * 1e9);
        }
    }
    return 1;
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
    got = exchanged(PyTuple_GET_ITEM(common, EXCHANGER), arguments[0], arguments[1], deadline, keep);
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
    PyObject *common, *exchanger_common, *function;

    if (!expect("caller", given, WHOLE)) {
        return NULL;
    }
    exchanger_common = common_of(arguments[EXCHANGER]);
    if (exchanger_common == NULL || !is_flag(arguments[FORKED]) || !is_flag(arguments[RETURNING])) {
        PyErr_SetString(PyExc_TypeError, "caller() takes what exchanger() has returned, two bytearrays and three functions");
        return NULL;
    }
    common = PyTuple_Pack(WHOLE, exchanger_common, arguments[FORKED], arguments[RETURNING], arguments[DROP_IDLE],
                          arguments[CONCLUDE], arguments[OTHERWISE]);
    if (common == NULL) {
        return NULL;
    }
    function = PyCFunction_New(&call_definition, common);
    Py_DECREF(common);
    return function;
}

static PyMethodDef functions[] = {
    {"caller", (PyCFunction)(void (*)(void))caller, METH_FASTCALL, caller_doc},
    {"exchanger", (PyCFunction)(void (*)(void))exchanger, METH_FASTCALL, exchanger_doc},
    {NULL, NULL, 0, NULL},
};

int
add_exchange(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
