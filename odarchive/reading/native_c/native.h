/* The inner loops of a scan: what `plain.py`, `tree.py` and `compare.py` do, with few steps for each file.
 *
 * Every function for Python has a twin there that gives equal values; the tests run both over the same trees. Whatever
 * is unusual, and every failure of a single name, is handed back to be done the long way: a wrong row is never made.
 *
 * Threads: the lock of the interpreter is let go while the kernel works; nothing is shared between calls. Signals are
 * looked for now and then.
 */

#ifndef ODARCHIVE_NATIVE_H
#define ODARCHIVE_NATIVE_H

#define PY_SSIZE_T_CLEAN
#define _GNU_SOURCE
#include <Python.h>

#include "sheet.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LISTING = 1 << 16, /* bytes of names from the kernel at once */
    PATIENCE = 64,     /* files between two looks for signals */
};

/* Nanoseconds since the epoch; false: they do not fit into what a database has. */
bool nanoseconds(struct timespec time, int64_t *out);

/* A new tuple of new references, which it takes; NULL when one of them is NULL. */
PyObject *tuple_of(PyObject **items, Py_ssize_t count);

/* The next name in a block from getdents64, without those of the directory itself and its parent; NULL: no more. */
const struct dirent64 *next_entry(const char *block, ssize_t length, ssize_t *at);

/* For Python; see native.py. */
PyObject *read_usual(PyObject *module, PyObject *arguments);
PyObject *told_apart(PyObject *module, PyObject *folder);
PyObject *compare(PyObject *module, PyObject *arguments);

#endif
