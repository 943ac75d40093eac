"""Makes what gopy generates for functions of integers faster to call.

pybindgen has Python pack the arguments into a tuple, and parses that by a format with names; gopy has Go call back into C to release the
interpreter's lock and to take it again, each of which costs as much as the call that it is for. Here such functions get their arguments as they are
(METH_FASTCALL, by position only), and their wrapper in C releases the lock: that saves 0.26 µs of 1.33 for a call from Python. Those that take no
longer than that keep the lock.
"""

from __future__ import annotations

import re

_GO = re.compile(
    r"(?P<head>func (?P<name>pycore_\w+)\((?P<arguments>\w+ C\.longlong(?:, \w+ C\.longlong)*)\) C\.longlong \{\n)"
    r"\t_saved_thread := C\.PyEval_SaveThread\(\)\n\tdefer C\.PyEval_RestoreThread\(_saved_thread\)\n"
)

_INTEGERS = """
extern int add_copy(PyObject *module);     /* copy.c */
extern int add_exchange(PyObject *module); /* exchange.c */
extern int add_hold(PyObject *module);     /* hold.c */
extern int add_pin(PyObject *module);      /* pin.c */
extern int add_runner(PyObject *module);   /* runner.c */

static int
_integers(const char *name, PyObject *const *arguments, Py_ssize_t given, int64_t *integers, Py_ssize_t wanted)
{
    if (given != wanted) {
        PyErr_Format(PyExc_TypeError, "%s() takes %zd arguments, by position, and got %zd", name, wanted, given);
        return 0;
    }
    for (Py_ssize_t i = 0; i < wanted; i++) {
        integers[i] = PyLong_AsLongLong(arguments[i]);
        if (integers[i] == -1 && PyErr_Occurred()) {
            return 0;
        }
    }
    return 1;
}

"""

_MODULE = "    m = PyModule_Create(&_core_moduledef);\n"

_MODULE_WITH_OURS = """    m = PyModule_Create(&_core_moduledef);
    if (m != NULL && (add_copy(m) < 0 || add_exchange(m) < 0 || add_hold(m) < 0 || add_pin(m) < 0 || add_runner(m) < 0)) {
        Py_CLEAR(m);
    }
"""

_WRAPPER = """
_wrap__core_{name}(PyObject *PYBINDGEN_UNUSED(module), PyObject *const *arguments, Py_ssize_t given)
{{
    int64_t integers[{count}];

    if (!_integers("{name}", arguments, given, integers, {count})) {{
        return NULL;
    }}
    {call}
}}
"""

_KEEPS = "return PyLong_FromLongLong({name}({integers}));"

_RELEASES = """int64_t result;
    PyThreadState *thread = PyEval_SaveThread();

    result = {name}({integers});
    PyEval_RestoreThread(thread);
    return PyLong_FromLongLong(result);"""

_MOMENTARY = {
    "pycore_BatchSubmit",
    "pycore_CallCancelled",
    "pycore_CallOpen",
    "pycore_CallReply",
    "pycore_ClientFinished",
    "pycore_ClientOver",
    "pycore_Drop",
    "pycore_Ignore",
    "pycore_Recycle",
    "pycore_Reply",
    "pycore_Start",
    "pycore_TryAcquire",
    "pycore_WorkerCancelled",
    "pycore_WorkerDetach",
}
"""Functions of calls that take a microsecond, and so keep the interpreter's lock: who releases it beside threads that compute gets it back 5 ms later
(lock.h). What they wait for, if anything, never needs the lock itself. What may have to get pages is not among them."""


class UnknownFormError(Exception):
    """gopy or pybindgen generates something else than what is known here."""


def rewritten(go: str, c: str) -> tuple[str, str]:
    """Return a module's Go and C files with faster functions of integers, and those of the C files beside this one.

    :raises UnknownFormError: they do not look as expected.
    """
    counts = {match["name"]: match["arguments"].count("C.longlong") for match in _GO.finditer(go)}
    if not counts.keys() >= _MOMENTARY:
        raise UnknownFormError(f"gopy's Go file has no {' '.join(sorted(_MOMENTARY - counts.keys()))}")
    for name, count in counts.items():
        c = _replaced(c, rf"\n_wrap__core_{name}\(PyObject \* [^\n]*, PyObject \*args, PyObject \*kwargs\)\n\{{\n.*?\n\}}\n", _wrapper(name, count))
        c = _replaced(c, rf"PyObject \* _wrap__core_{name}\(.*?\);\n", "")
        c = _replaced(
            c,
            rf"\(PyCFunction\) _wrap__core_{name}, METH_KEYWORDS\|METH_VARARGS,",
            f"(PyCFunction) (void (*)(void)) _wrap__core_{name}, METH_FASTCALL,",
        )
    c = _replaced(c, re.escape(_MODULE), _MODULE_WITH_OURS)
    first = c.find("\nPyObject *\n_wrap_")
    if first < 0:
        raise UnknownFormError("there is no function in pybindgen's C file")
    return _GO.sub(r"\g<head>", go), c[:first] + _INTEGERS + c[first:]


def _wrapper(name: str, count: int) -> str:
    call = _KEEPS if name in _MOMENTARY else _RELEASES
    return _WRAPPER.format(name=name, count=count, call=call.format(name=name, integers=", ".join(f"integers[{i}]" for i in range(count))))


def _replaced(text: str, pattern: str, by: str) -> str:
    text, count = re.subn(pattern, lambda _: by, text, flags=re.DOTALL)
    if count != 1:
        raise UnknownFormError(f"pybindgen's C file has {count} of {pattern!r}")
    return text
