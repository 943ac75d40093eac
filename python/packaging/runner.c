/* A server's end of calls: runs methods, in one function of C as long as they take bytes and return them, or read and write where payloads lie. In bytecode its steps take as
 * long as the rest of the round trip. Everything else is left to nanorpc._worker.Worker.
 *
 * A runner belongs to the one thread that runs it; reserve may also be called by another, on behalf of the method that runs. */

#include "common.h"

#include <stddef.h>
#include <string.h>
#include <structmember.h>

#include "ahead.h"
#include "copy.h"
#include "core_go.h"
#include "lock.h"
#include "pin.h"
#include "rare.h"

typedef struct {
    PyObject_HEAD
    int64_t worker;
    int64_t *box;
    char *stage;
    Turn turn;
    Hope hope; /* for calls that follow at once */
    PyObject *maps;   /* by connection */
    PyObject *map_of; /* makes the map of a connection that is not among them yet */
    PyObject *refuse; /* raises why there is no memory for a reply */
    PyObject *kept;   /* is told of a method that keeps what it was to have for a call only */

    /* Of the call that runs: */
    PyObject *map;                    /* NULL until there is a view */
    PyObject *request, *request_pin;  /* the view that the method has, and its exporter; NULL where it has none, and without an exporter of this file */
    PyObject *reply_pin;              /* the exporter of the view for the reply */
    int64_t place, room;              /* what is reserved for that, 0 without */
    int over;                         /* whether there is nothing to reserve for: no call, or one whose caller has been told that there is no room */
} Runner;

/* Return the map of the call's connection, a borrowed reference. */
static PyObject *
map_of_call(Runner *self)
{
    PyObject *connection;

    if (self->map == NULL) {
        connection = PyLong_FromLongLong(self->box[CONNECTION]);
        if (connection == NULL) {
            return NULL;
        }
        self->map = Py_XNewRef(PyDict_GetItemWithError(self->maps, connection));
        if (self->map == NULL && !PyErr_Occurred()) {
            self->map = PyObject_CallOneArg(self->map_of, connection);
        }
        Py_DECREF(connection);
    }
    return self->map;
}

/* Take a view away, whose reference is taken. Not if there are arrays on it: then its exporter is referred to. */
static void
release(PyObject *view)
{
    PyObject *done;

    if (Py_REFCNT(view) > 1) {
        done = PyObject_CallMethod(view, "release", NULL);
        if (done == NULL) {
            PyErr_Clear();
        }
        Py_XDECREF(done);
    }
    Py_DECREF(view);
}

/* Drop an exporter whose view has been taken away, and report whether anybody else has it. */
static int
let_go(PyObject **pin)
{
    int kept = *pin != NULL && Py_REFCNT(*pin) > 1;

    Py_CLEAR(*pin);
    return kept;
}

/* Take away what a method has had, when it has returned and its reply, or what it has raised, has been dealt with. If it has kept any of it, that is said: it cannot be taken away. */
static int
withdraw(Runner *self)
{
    PyObject *view = self->request, *told;
    int kept;

    self->request = NULL;
    if (view != NULL) {
        release(view);
    }
    kept = let_go(&self->request_pin);
    kept = let_go(&self->reply_pin) || kept;
    Py_CLEAR(self->map);
    self->over = 1;
    if (!kept) {
        return 1;
    }
    told = PyObject_CallFunction(self->kept, "L", (long long)self->box[METHOD]);
    Py_XDECREF(told);
    return told != NULL;
}

/* Tell of the calls that have been taken ahead, before anything else is done for the last of them: see WorkerAhead. */
static void
tell(Runner *self)
{
    if (self->box[AHEAD] != 0) {
        pycore_WorkerAhead(self->worker);
    }
}

PyDoc_STRVAR(reserve_doc,
"reserve(length)\n\n"
"Return memory for a reply of the call that runs. Blocks while there is no room. Without any, the caller is told, and what refuse raises is raised.");

static PyObject *
reserve(Runner *self, PyObject *number)
{
    PyThreadState *thread;
    PyObject *view;
    int64_t length, offset = 0;

    if (!integer(number, &length)) {
        return NULL;
    }
    if (!self->over) {
        if (map_of_call(self) == NULL) { /* first: what is reserved cannot be given back */
            return NULL;
        }
        tell(self);
        thread = PyEval_SaveThread();
        offset = pycore_WorkerReserve(self->worker, length);
        PyEval_RestoreThread(thread);
        self->over = offset < 0;
    }
    if (self->over) {
        return PyObject_CallFunction(self->refuse, "L", (long long)offset);
    }
    self->place = offset;
    self->room = length;
    Py_XSETREF(self->reply_pin, pin_new(self->map, offset, length, 1));
    view = self->reply_pin == NULL ? NULL : PyMemoryView_FromObject(self->reply_pin);
    return view;
}

/* Leave the reply to WorkerNext. */
static void
leave(Runner *self, int64_t offset, int64_t length)
{
    self->box[STATUS] = REPLY;
    self->box[REPLY_OFFSET] = offset;
    self->box[REPLY_LENGTH] = length;
}

/* Return the request as bytes, or as a view where it lies, which the method has until withdraw. */
static PyObject *
request_of(Runner *self, int copies)
{
    const int64_t *box = self->box;

    if (copies) {
        return copied_bytes(box[OFFSET] == STAGED ? self->stage : (const char *)(intptr_t)box[ADDRESS], box[LENGTH]);
    }
    if (box[OFFSET] == STAGED) {
        self->request = view_of(bytes_at(self->stage, box[LENGTH]));
    } else if (map_of_call(self) != NULL) {
        self->request_pin = pin_new(self->map, box[OFFSET], box[LENGTH], 0);
        self->request = self->request_pin == NULL ? NULL : PyMemoryView_FromObject(self->request_pin);
    }
    return Py_XNewRef(self->request);
}

/* Publish a reply, or copy it to where WorkerNext finds it, unless there is no room for it: then the caller has been told. */
static void
answer(Runner *self, PyObject *reply)
{
    PyThreadState *thread;
    Py_ssize_t length = PyBytes_GET_SIZE(reply);
    int64_t *box = self->box, offset = STAGED;
    char *to = self->stage;

    if (length <= INLINE_CAPACITY && published(box, PyBytes_AS_STRING(reply), length)) {
        return;
    }
    if (length > INLINE_CAPACITY) {
        tell(self);
        thread = PyEval_SaveThread(); /* there may be no room for a while */
        offset = pycore_WorkerReserve(self->worker, length);
        PyEval_RestoreThread(thread);
        if (offset < 0) {
            return;
        }
        to = (char *)(intptr_t)box[ADDRESS];
    }
    share_bytes(to, PyBytes_AS_STRING(reply), length);
    leave(self, offset, length);
}

/* Deal with what a method has returned, and report whether that is all: it is a view that reserve has made, None or bytes. */
static int
replied(Runner *self, PyObject *reply)
{
    if (self->over) { /* the caller has been told that there is no room, and the method has caught that */
        return 1;
    }
    if (self->reply_pin != NULL) {
        leave(self, self->place, self->room);
    } else if (reply == Py_None) {
        leave(self, STAGED, 0);
    } else if (PyBytes_CheckExact(reply)) {
        answer(self, reply);
    } else {
        return 0;
    }
    return 1;
}

/* Return what runs a call, borrowed, and whether it gets a copy; None if there is nothing. */
static PyObject *
function_of(const Runner *self, PyObject *const *arguments, Py_ssize_t number, int *copies)
{
    PyObject *function = PyTuple_GetItem(arguments[0], number);
    int64_t most = INLINE_CAPACITY;

    if (function == NULL || (self->box[OFFSET] != STAGED && !masked(PyTuple_GetItem(arguments[1], number), &most))) {
        return NULL;
    }
    *copies = function != Py_None && self->box[LENGTH] <= most;
    return *copies ? function : PyTuple_GetItem(arguments[2], number);
}

/* Sleep for the next call where calls are rare, and report whether it has been taken. */
static int
took_rare(Runner *self)
{
    PyThreadState *thread;
    int took, is_to_be_told = 0;

    if (!may_doze(self->box) || has_turn(&self->turn)) {
        return 0;
    }
    thread = PyEval_SaveThread();
    took = take_rare(self->box, self->stage, &is_to_be_told);
    if (is_to_be_told) {
        pycore_WorkerAhead(self->worker);
    }
    take_back(thread, &self->turn);
    return took;
}

/* Answer the last call, if that has not been done, and wait for the next one. It may be taken ahead if that is all that is to be done for the last one. */
static int64_t
next(Runner *self, int may_be_ahead)
{
    int64_t within = moment(&self->turn), number;
    PyThreadState *thread;

    if (may_be_ahead) {
        wake_caller(self->box);
        if (within != 0 && (take_ahead(self->box, self->stage, &self->hope) || took_rare(self))) {
            return self->box[METHOD];
        }
    }
    thread = within == 0 ? PyEval_SaveThread() : NULL;
    number = pycore_WorkerNext(self->worker, within, 0);
    if (thread == NULL && number == PENDING && has_turn(&self->turn)) {
        number = pycore_WorkerNext(self->worker, LONG_MOMENT, 1);
        learn(&self->turn, number == PENDING);
    }
    if (thread == NULL && number == PENDING) {
        thread = PyEval_SaveThread();
        number = pycore_WorkerNext(self->worker, 0, 0);
    }
    if (thread != NULL) {
        take_back(thread, &self->turn);
    }
    return number;
}

/* See run. */
static PyObject *
run_calls(Runner *self, PyObject *const *arguments)
{
    PyObject *function, *request, *reply;
    int64_t number;
    int copies, is_published = 0;

    for (;;) {
        if (!withdraw(self)) {
            return NULL;
        }
        number = next(self, is_published);
        self->place = self->room = 0;
        self->over = number < 0;
        function = number < 0 ? Py_None : function_of(self, arguments, (Py_ssize_t)number, &copies);
        if (function == NULL) {
            return NULL;
        }
        if (function == Py_None) {
            return Py_BuildValue("LO", (long long)number, Py_None);
        }
        request = request_of(self, copies);
        reply = request == NULL ? NULL : PyObject_CallOneArg(function, request);
        Py_XDECREF(request);
        if (reply == NULL) {
            return NULL; /* its traceback has the views: the next run takes them away */
        }
        if (!replied(self, reply)) {
            return Py_BuildValue("LN", (long long)number, reply);
        }
        is_published = !self->over && self->box[STATUS] == PUBLISHED;
        if (self->reply_pin != NULL && PyMemoryView_Check(reply)) {
            release(reply);
        } else {
            Py_DECREF(reply); /* before the wait: it may be the last that is left of something large */
        }
    }
}

PyDoc_STRVAR(run_doc,
"run(functions, longest, in_place)\n\n"
"Run calls. By the methods' numbers, functions has those that get bytes, longest the length of the longest request that is copied for each, and in_place\n"
"functions that get a view of the request where it lies, for longer ones and for methods that have no other; None where there is none. They return\n"
"bytes, None, or what reserve has returned to them. Blocks, without slices: see WorkerNext.\n\n"
"Return what WorkerNext has returned, and None, for what is to be run or dealt with otherwise; or the reply, if it is something else. Raise what a\n"
"method raises. In all cases it is the caller who answers, before the next call of this.");

static PyObject *
run(Runner *self, PyObject *const *arguments, Py_ssize_t given)
{
    PyObject *result;

    if (!expect("run", given, 3)) {
        return NULL;
    }
    result = run_calls(self, arguments);
    tell(self);
    return result;
}

static int
traverse(PyObject *object, visitproc visit, void *arg)
{
    Runner *self = (Runner *)object;

    Py_VISIT(self->maps);
    Py_VISIT(self->map_of);
    Py_VISIT(self->refuse);
    Py_VISIT(self->kept);
    Py_VISIT(self->map);
    Py_VISIT(self->request);
    Py_VISIT(self->request_pin);
    Py_VISIT(self->reply_pin);
    return 0;
}

static int
clear(PyObject *object)
{
    Runner *self = (Runner *)object;

    Py_CLEAR(self->maps);
    Py_CLEAR(self->map_of);
    Py_CLEAR(self->refuse);
    Py_CLEAR(self->kept);
    Py_CLEAR(self->map);
    Py_CLEAR(self->request);
    Py_CLEAR(self->request_pin);
    Py_CLEAR(self->reply_pin);
    return 0;
}

static void
dealloc(PyObject *self)
{
    PyObject_GC_UnTrack(self);
    clear(self);
    PyObject_GC_Del(self);
}

static PyMethodDef methods[] = {
    {"reserve", (PyCFunction)(void (*)(void))reserve, METH_O, reserve_doc},
    {"run", (PyCFunction)(void (*)(void))run, METH_FASTCALL, run_doc},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
    {"place", T_LONGLONG, offsetof(Runner, place), READONLY, "The offset of what is reserved for the reply."},
    {"room", T_LONGLONG, offsetof(Runner, room), READONLY, "The length of what is reserved for the reply, 0 without."},
    {"over", T_INT, offsetof(Runner, over), READONLY, "Not 0: there is no call, or its caller has been told that there is no room for a reply."},
    {NULL, 0, 0, 0, NULL},
};

static PyTypeObject runner_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "nanorpc._core.Runner",
    .tp_basicsize = sizeof(Runner),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_methods = methods,
    .tp_members = members,
    .tp_dealloc = dealloc,
    .tp_traverse = traverse,
    .tp_clear = clear,
};

PyDoc_STRVAR(runner_doc,
"runner(worker, mailbox, stage, maps, map_of, refuse, kept)\n\n"
"Return what runs the calls of a worker, whose mailbox and stage are at the addresses that WorkerNew got, and stay there as long as it is used.\n"
"maps has the maps of segments by the connections' numbers, and map_of makes one that is not there yet; refuse raises what a status stands for, and for 0\n"
"that the caller knows already; kept is called with the number of a method that keeps a view or an array of a request or a reply.");

static PyObject *
runner(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t given)
{
    int64_t worker, mailbox, stage;
    Runner *self;

    if (!expect("runner", given, 7) || !integer(arguments[0], &worker) || !integer(arguments[1], &mailbox) || !integer(arguments[2], &stage)) {
        return NULL;
    }
    if (!PyDict_CheckExact(arguments[3])) {
        PyErr_SetString(PyExc_TypeError, "runner() takes three integers, a dict and three functions");
        return NULL;
    }
    self = PyObject_GC_New(Runner, &runner_type);
    if (self == NULL) {
        return NULL;
    }
    self->worker = worker;
    self->box = (int64_t *)(intptr_t)mailbox;
    self->stage = (char *)(intptr_t)stage;
    self->turn = no_turn;
    self->hope = (Hope){0};
    self->maps = Py_NewRef(arguments[3]);
    self->map_of = Py_NewRef(arguments[4]);
    self->refuse = Py_NewRef(arguments[5]);
    self->kept = Py_NewRef(arguments[6]);
    self->map = self->request = self->request_pin = self->reply_pin = NULL;
    self->place = self->room = 0;
    self->over = 1;
    PyObject_GC_Track((PyObject *)self);
    return (PyObject *)self;
}

static PyMethodDef functions[] = {
    {"runner", (PyCFunction)(void (*)(void))runner, METH_FASTCALL, runner_doc},
    {NULL, NULL, 0, NULL},
};

int
add_runner(PyObject *module)
{
    return PyType_Ready(&runner_type) < 0 ? -1 : PyModule_AddFunctions(module, functions);
}
