/* A client's end of calls without copies: a slot that is held as long as there are views of its memory. The views' exporters are those of pin.c.
 *
 * All functions hold the interpreter's lock, but while they wait: so what they do with a hold and with the idle slots are single steps for all threads. */

#include "common.h"

#include <stddef.h>
#include <structmember.h>

#include "core_go.h"
#include "exchange.h"
#include "pin.h"

/* What all holds of a client have in common. */
enum { EXCHANGER, FORKED, RETURNING, STAGE, HOLDS };

typedef struct {
    PyObject_HEAD
    PyObject *common;
    PyObject *channel;
    PyObject *entry; /* NULL once the slot has been given back */
    int64_t client, slot;
    Py_ssize_t uses; /* views */
    char called;     /* whether the slot's call has been submitted, and not been answered yet */
} Hold;

static PyTypeObject hold_type;
static PyObject *map_name; /* "map" */

/* Hold the slot of an entry, whose reference is taken. */
static Hold *
hold_new(PyObject *common, PyObject *channel, PyObject *entry, int64_t slot)
{
    Hold *self = PyObject_GC_New(Hold, &hold_type);

    if (self == NULL) {
        Py_DECREF(entry);
        return NULL;
    }
    self->common = Py_NewRef(common);
    self->channel = Py_NewRef(channel);
    self->entry = entry;
    self->slot = slot;
    self->uses = 0;
    self->called = 0;
    self->client = client_of(PyTuple_GET_ITEM(common, EXCHANGER))->number;
    PyObject_GC_Track((PyObject *)self);
    return self;
}

static PyObject *
idle_of(PyObject *common)
{
    return PyTuple_GET_ITEM(PyTuple_GET_ITEM(common, EXCHANGER), IDLE);
}

static int
is_held(Hold *self)
{
    if (self->entry == NULL) {
        PyErr_SetString(PyExc_ValueError, "the slot has been given back");
    }
    return self->entry != NULL;
}

/* Have the channel drop the slot of an entry, whose reference is taken. */
static int
channel_drops(Hold *self, PyObject *entry)
{
    PyObject *done = PyObject_CallMethod(self->channel, "drop", "O", PyTuple_GET_ITEM(entry, 0));

    Py_DECREF(entry);
    Py_XDECREF(done);
    return done != NULL;
}

/* Give the slot to the next who needs one. A call that has not been answered is given up. Doing it again does nothing. */
static int
give_back(Hold *self)
{
    PyObject *done, *entry = self->entry;
    int added;

    if (entry == NULL) {
        return 1;
    }
    self->entry = NULL;
    if (self->called || set(self->common, FORKED)) {
        return channel_drops(self, entry);
    }
    pycore_Recycle(self->client, self->slot);
    added = PyList_Append(idle_of(self->common), entry);
    Py_DECREF(entry);
    if (added < 0) {
        return 0;
    }
    if (set(self->common, RETURNING)) { /* after the slot is idle: who sets it looks at the idle slots then */
        done = PyObject_CallMethod(self->channel, "drop_idle", NULL);
        Py_XDECREF(done);
        return done != NULL;
    }
    return 1;
}

static PyObject *
unused(PyObject *hold)
{
    Hold *self = (Hold *)hold;

    self->uses--;
    return self->uses > 0 || give_back(self) ? Py_NewRef(Py_None) : NULL;
}

/* Return a view of memory that belongs to the slot. */
static PyObject *
viewed(Hold *self, int64_t offset, int64_t length, int writable)
{
    PyObject *map = PyObject_GetAttr(self->channel, map_name), *pin, *view;

    if (map == NULL) {
        return NULL;
    }
    pin = pin_new(map, offset, length, writable);
    Py_DECREF(map);
    if (pin == NULL) {
        return NULL;
    }
    view = PyMemoryView_FromObject(pin);
    if (view != NULL) {
        self->uses++;
        pin_tell(pin, unused, (PyObject *)self);
    }
    Py_DECREF(pin);
    return view;
}

PyDoc_STRVAR(view_doc, "view(offset, length, writable)\n\nReturn a view of memory that belongs to the slot, which is held until there are no views any more.");

static PyObject *
view(Hold *self, PyObject *const *arguments, Py_ssize_t given)
{
    int64_t offset, length;
    int writable;

    if (!expect("view", given, 3) || !integer(arguments[0], &offset) || !integer(arguments[1], &length)) {
        return NULL;
    }
    writable = PyObject_IsTrue(arguments[2]);
    return writable < 0 ? NULL : viewed(self, offset, length, writable);
}

/* Return a view of the reply at a place of the slot. */
static PyObject *
reply_at(Hold *self, int64_t place)
{
    PyObject *copy;
    int64_t stage, offset;

    if (!is_held(self)) {
        return NULL;
    }
    self->called = 0;
    if (place >> 32 != COPIED) {
        return viewed(self, place >> 32 << UNIT_SHIFT, place & UINT32_MAX, 0);
    }
    if (!masked(PyTuple_GET_ITEM(self->common, STAGE), &stage) || !integer(PyTuple_GetItem(self->entry, 1), &offset)) {
        return NULL;
    }
    copy = view_of(bytes_at((const char *)(intptr_t)(stage + offset), place & UINT32_MAX));
    if (copy != NULL && self->uses == 0 && !give_back(self)) {
        Py_CLEAR(copy);
    }
    return copy;
}

PyDoc_STRVAR(reply_doc,
"reply(place)\n\n"
"Return a view of the reply to the slot's call, which has ended: of a copy, where that is so short that it is on the stage. Then, without other views, the\n"
"slot is given back.");

static PyObject *
reply(Hold *self, PyObject *number)
{
    int64_t place;

    return integer(number, &place) ? reply_at(self, place) : NULL;
}

/* Submit the slot's call, and wait for the reply: see lock.h. */
static int64_t
called(Hold *self, int64_t number, int64_t offset, int64_t length, int64_t deadline)
{
    Turn *turn = &client_of(PyTuple_GET_ITEM(self->common, EXCHANGER))->turn;
    int64_t within = moment(turn), result;
    PyThreadState *thread = within == 0 ? PyEval_SaveThread() : NULL;

    result = pycore_Call(self->client, self->slot, number, offset, length, deadline, within);
    if (thread == NULL && result == PENDING && has_turn(turn)) {
        result = pycore_Await(self->client, self->slot, deadline, LONG_MOMENT);
        learn(turn, result == PENDING);
    }
    if (thread == NULL && result == PENDING) {
        thread = PyEval_SaveThread();
        result = pycore_Await(self->client, self->slot, deadline, 0);
    }
    if (thread != NULL) {
        take_back(thread, turn);
    }
    return result;
}

PyDoc_STRVAR(call_doc,
"call(method, offset, length, deadline)\n\n"
"Make the slot's call, with a request that lies where it has been reserved, and return a view of the reply, as reply does. Blocks until it is there, in\n"
"slices, between which signals are handled: see Channel.finish, which raises what a call does.");

static PyObject *
call(Hold *self, PyObject *const *arguments, Py_ssize_t given)
{
    PyObject *known, *finished;
    int64_t number, offset, length, deadline, result;

    if (!expect("call", given, 4) || !integer(arguments[1], &offset) || !integer(arguments[2], &length) || !integer(arguments[3], &deadline)) {
        return NULL;
    }
    known = PyDict_GetItemWithError(PyTuple_GET_ITEM(PyTuple_GET_ITEM(self->common, EXCHANGER), NUMBERS), arguments[0]);
    if (PyErr_Occurred() || !is_held(self)) {
        return NULL;
    }
    self->called = 1;
    if (known == NULL || set(self->common, FORKED)) {
        finished = PyObject_CallMethod(self->channel, "perform", "LOLLL", (long long)self->slot, arguments[0], (long long)offset, (long long)length,
                                       (long long)deadline);
    } else {
        if (!masked(known, &number)) {
            return NULL;
        }
        result = called(self, number, offset, length, deadline);
        if (result >= 0) {
            return reply_at(self, result);
        }
        finished = PyObject_CallMethod(self->channel, "finish", "LLOL", (long long)self->slot, (long long)result, arguments[0], (long long)deadline);
    }
    if (finished == NULL) {
        return NULL;
    }
    known = reply(self, finished);
    Py_DECREF(finished);
    return known;
}

PyDoc_STRVAR(drop_doc, "drop()\n\nGive the slot back to the core, with all that belongs to it, unless it has been given back.");

static PyObject *
drop(Hold *self, PyObject *Py_UNUSED(nothing))
{
    PyObject *entry = self->entry;

    self->entry = NULL;
    return entry == NULL || channel_drops(self, entry) ? Py_NewRef(Py_None) : NULL;
}

static PyObject *
slot_held(Hold *self, void *Py_UNUSED(closure))
{
    return is_held(self) ? Py_NewRef(PyTuple_GET_ITEM(self->entry, 0)) : NULL;
}

static int
traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(((Hold *)self)->common);
    Py_VISIT(((Hold *)self)->channel);
    Py_VISIT(((Hold *)self)->entry);
    return 0;
}

/* There is no tp_clear: nothing that a hold refers to refers to it. */
static void
dealloc(PyObject *self)
{
    PyObject_GC_UnTrack(self);
    Py_XDECREF(((Hold *)self)->entry);
    Py_DECREF(((Hold *)self)->channel);
    Py_DECREF(((Hold *)self)->common);
    PyObject_GC_Del(self);
}

static PyMethodDef methods[] = {
    {"view", (PyCFunction)(void (*)(void))view, METH_FASTCALL, view_doc},
    {"reply", (PyCFunction)(void (*)(void))reply, METH_O, reply_doc},
    {"call", (PyCFunction)(void (*)(void))call, METH_FASTCALL, call_doc},
    {"drop", (PyCFunction)(void (*)(void))drop, METH_NOARGS, drop_doc},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
    {"called", T_BOOL, offsetof(Hold, called), 0, "Whether the slot's call has been submitted, and not been answered yet."},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef computed[] = {
    {"slot", (getter)(void (*)(void))slot_held, NULL, "The slot. ValueError if it has been given back.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyTypeObject hold_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "nanorpc._core.Hold",
    .tp_basicsize = sizeof(Hold),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_methods = methods,
    .tp_members = members,
    .tp_getset = computed,
    .tp_dealloc = dealloc,
    .tp_traverse = traverse,
};

PyDoc_STRVAR(hold_doc, "hold(channel, entry)\n\nHold the slot of an entry that nobody else has, until it is dropped or no views of its memory are left.");

static PyObject *
hold(PyObject *common, PyObject *const *arguments, Py_ssize_t given)
{
    int64_t slot;

    if (!expect("hold", given, 2) || !integer(PyTuple_GetItem(arguments[1], 0), &slot)) {
        return NULL;
    }
    return (PyObject *)hold_new(common, arguments[0], Py_NewRef(arguments[1]), slot);
}

PyDoc_STRVAR(loan_doc,
"loan(channel, length)\n\n"
"Hold the last of the idle slots, and return that, a view of so many bytes for its request, and their offset; or None, having done nothing, if no slot is\n"
"idle, those that are go back to the core, or there is no room now or ever.");

static PyObject *
loan(PyObject *common, PyObject *const *arguments, Py_ssize_t given)
{
    PyObject *entry, *memory;
    int64_t length, offset, slot;
    Hold *held;

    if (!expect("loan", given, 2) || !integer(arguments[1], &length)) {
        return NULL;
    }
    if (set(common, FORKED) || set(common, RETURNING)) {
        Py_RETURN_NONE;
    }
    entry = take_idle(PyTuple_GET_ITEM(common, EXCHANGER), &slot);
    if (entry == NULL) {
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    }
    held = hold_new(common, arguments[0], entry, slot);
    if (held == NULL) {
        return NULL;
    }
    offset = pycore_TryReserve(held->client, held->slot, length);
    if (offset < 0) {
        memory = PyList_Append(idle_of(common), entry) < 0 ? NULL : Py_NewRef(Py_None);
        Py_DECREF(held);
        return memory;
    }
    memory = viewed(held, offset, length, 1);
    if (memory == NULL) {
        Py_DECREF(held);
        return NULL;
    }
    return Py_BuildValue("NNL", held, memory, (long long)offset);
}

static PyMethodDef bound[] = {
    {"loan", (PyCFunction)(void (*)(void))loan, METH_FASTCALL, loan_doc},
    {"hold", (PyCFunction)(void (*)(void))hold, METH_FASTCALL, hold_doc},
};

PyDoc_STRVAR(holder_doc,
"holder(exchange, forked, returning, stage)\n\n"
"Return the functions that hold a client's slots: loan(channel, length) and hold(channel, entry). The first argument is of exchanger. Two bytearrays say\n"
"whether this process was forked, and whether idle slots go back to the core; the stage is at an address. A channel has drop, drop_idle, perform, finish\n"
"and map, as nanorpc._channel.Channel.");

static PyObject *
holder(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t given)
{
    PyObject *common, *exchanger_common, *loans, *holds;
    int64_t stage;

    if (!expect("holder", given, HOLDS)) {
        return NULL;
    }
    exchanger_common = common_of(arguments[EXCHANGER]);
    if (exchanger_common == NULL || !is_flag(arguments[FORKED]) || !is_flag(arguments[RETURNING])) {
        PyErr_SetString(PyExc_TypeError, "holder() takes what exchanger() has returned, two bytearrays and an address");
        return NULL;
    }
    if (!integer(arguments[STAGE], &stage)) {
        return NULL;
    }
    common = PyTuple_Pack(HOLDS, exchanger_common, arguments[FORKED], arguments[RETURNING], arguments[STAGE]);
    if (common == NULL) {
        return NULL;
    }
    loans = PyCFunction_New(&bound[0], common);
    holds = loans == NULL ? NULL : PyCFunction_New(&bound[1], common);
    Py_DECREF(common);
    if (holds == NULL) {
        Py_XDECREF(loans);
        return NULL;
    }
    return Py_BuildValue("NN", loans, holds);
}

static PyMethodDef functions[] = {
    {"holder", (PyCFunction)(void (*)(void))holder, METH_FASTCALL, holder_doc},
    {NULL, NULL, 0, NULL},
};

int
add_hold(PyObject *module)
{
    map_name = PyUnicode_InternFromString("map");
    return map_name == NULL || PyType_Ready(&hold_type) < 0 ? -1 : PyModule_AddFunctions(module, functions);
}
