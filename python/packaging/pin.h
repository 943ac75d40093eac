/* See pin.c. */

#ifndef NANORPC_PIN_H
#define NANORPC_PIN_H

#include <Python.h>

/* Is called with what was given to pin_new for it. An exception is printed. */
typedef PyObject *(*Unused)(PyObject *);

/* Return the exporter for a view of a part of a map, or NULL with ValueError where the part does not lie within the map. Its caller makes the view, which keeps it, as all do
 * that is made of that and all arrays on them. */
PyObject *pin_new(PyObject *segment, int64_t offset, int64_t length, int writable);

/* Have unused called with whom once the exporter is gone. Done when there is the view: who gets an exception instead is told nothing. */
void pin_tell(PyObject *pin, Unused unused, PyObject *whom);

int add_pin(PyObject *module);

#endif
