/* Views of shared memory that say when nobody uses them any more. A memoryview, or an array on one, keeps its exporter alive, and nothing else knows when
 * the last of them is gone: so each view has an exporter of its own. */

#include "common.h"
#include "pin.h"

typedef struct {
    PyObject_HEAD
    Py_buffer segment; /* keeps the map as it is; its obj is NULL until it does */
    char *start;
    Py_ssize_t length;
    int readonly;
    Unused unused;
    PyObject *whom; /* unused is called with; NULL once it has been, or where nobody wants to know */
} Pin;

static PyTypeObject pin_type;

static int
get_buffer(PyObject *self, Py_buffer *view, int flags)
{
    Pin *pin = (Pin *)self;

    return PyBuffer_FillInfo(view, self, pin->start, pin->length, pin->readonly, flags);
}

/* Called once, when the last reference is gone, or by the collector of cycles, for which this is what finalizers are (PEP 442). */
static void
finalize(PyObject *self)
{
    PyObject *type, *value, *traceback, *result, *whom = ((Pin *)self)->whom;

    if (whom == NULL) {
        return;
    }
    ((Pin *)self)->whom = NULL;
    PyErr_Fetch(&type, &value, &traceback); /* of whatever has made the last view go */
    result = ((Pin *)self)->unused(whom);
    if (result == NULL) {
        /* With the type, not with what was called: a program that keeps what is reported here would keep what that belongs to. */
        PyErr_WriteUnraisable((PyObject *)&pin_type);
    }
    Py_XDECREF(result);
    Py_DECREF(whom);
    PyErr_Restore(type, value, traceback);
}

static void
dealloc(PyObject *self)
{
    if (PyObject_CallFinalizerFromDealloc(self) < 0) {
        return; /* it is referred to again */
    }
    PyObject_GC_UnTrack(self);
    PyBuffer_Release(&((Pin *)self)->segment);
    PyObject_GC_Del(self);
}

static int
traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(((Pin *)self)->whom);
    Py_VISIT(((Pin *)self)->segment.obj);
    return 0;
}

static PyBufferProcs buffer_procs = {.bf_getbuffer = get_buffer};

/* There is no tp_clear: a cycle that goes through a pin is broken where its finalizer has dropped what it called, or elsewhere. */
static PyTypeObject pin_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "nanorpc._core.Pin",
    .tp_basicsize = sizeof(Pin),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_as_buffer = &buffer_procs,
    .tp_dealloc = dealloc,
    .tp_finalize = finalize,
    .tp_traverse = traverse,
};

PyObject *
pin_new(PyObject *segment, int64_t offset, int64_t length, int writable)
{
    Pin *self = PyObject_GC_New(Pin, &pin_type);

    if (self == NULL) {
        return NULL;
    }
    self->segment.obj = NULL;
    self->whom = NULL;
    if (PyObject_GetBuffer(segment, &self->segment, writable ? PyBUF_WRITABLE : PyBUF_SIMPLE) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    if (offset < 0 || length < 0 || offset > self->segment.len || length > self->segment.len - offset) {
        PyErr_Format(PyExc_ValueError, "%lld bytes at %lld do not lie within a map of %zd", (long long)length, (long long)offset, self->segment.len);
        Py_DECREF(self);
        return NULL;
    }
    self->start = (char *)self->segment.buf + offset;
    self->length = (Py_ssize_t)length;
    self->readonly = !writable;
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

void
pin_tell(PyObject *pin, Unused unused, PyObject *whom)
{
    ((Pin *)pin)->unused = unused;
    ((Pin *)pin)->whom = Py_NewRef(whom);
}

PyDoc_STRVAR(pin_doc,
"pin(segment, offset, length, writable, unused)\n\n"
"Return a view of a part of a map, and call unused, unless that is None, once the view, all that was made of it and all arrays on them are gone: then, in\n"
"whatever thread that happens. What it raises is printed. The map stays as long as the view.\n\n"
"Raise ValueError where the part does not lie within the map.");

static PyObject *
pin(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t given)
{
    Py_ssize_t offset, length;
    PyObject *exporter, *view;
    int writable;

    if (!expect("pin", given, 5)) {
        return NULL;
    }
    offset = PyNumber_AsSsize_t(arguments[1], PyExc_ValueError);
    length = PyNumber_AsSsize_t(arguments[2], PyExc_ValueError);
    writable = PyObject_IsTrue(arguments[3]);
    if (PyErr_Occurred()) {
        return NULL;
    }
    exporter = pin_new(arguments[0], offset, length, writable);
    if (exporter == NULL) {
        return NULL;
    }
    view = PyMemoryView_FromObject(exporter);
    if (view != NULL && arguments[4] != Py_None) {
        pin_tell(exporter, PyObject_CallNoArgs, arguments[4]);
    }
    Py_DECREF(exporter);
    return view;
}

static PyMethodDef functions[] = {
    {"pin", (PyCFunction)(void (*)(void))pin, METH_FASTCALL, pin_doc},
    {NULL, NULL, 0, NULL},
};

int
add_pin(PyObject *module)
{
    return PyType_Ready(&pin_type) < 0 ? -1 : PyModule_AddFunctions(module, functions);
}
