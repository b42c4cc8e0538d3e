/* The module, and what its parts share. */

#include "native.h"

bool nanoseconds(struct timespec time, int64_t *out)
{
    int64_t value;
    if (__builtin_mul_overflow((int64_t)time.tv_sec, INT64_C(1000000000), &value)
        || __builtin_add_overflow(value, (int64_t)time.tv_nsec, &value) || value == INT64_MIN)
        return false;
    *out = value;
    return true;
}

PyObject *tuple_of(PyObject **items, Py_ssize_t count)
{
    bool good = true;
    for (Py_ssize_t i = 0; i < count; i++)
        good = good && items[i] != NULL;
    PyObject *tuple = good ? PyTuple_New(count) : NULL;
    for (Py_ssize_t i = 0; i < count; i++) {
        if (tuple)
            PyTuple_SET_ITEM(tuple, i, items[i]);
        else
            Py_XDECREF(items[i]);
    }
    return tuple;
}

const struct dirent64 *next_entry(const char *block, ssize_t length, ssize_t *at)
{
    while (*at < length) {
        const struct dirent64 *found = (const struct dirent64 *)(block + *at);
        *at += found->d_reclen;
        if (strcmp(found->d_name, ".") != 0 && strcmp(found->d_name, "..") != 0)
            return found;
    }
    return NULL;
}

static PyMethodDef functions[] = {
    {"read_usual", read_usual, METH_VARARGS, "See native.Native."},
    {"told_apart", told_apart, METH_O, "See native.Native."},
    {"compare", compare, METH_VARARGS, "See native.Native."},
    {NULL, NULL, 0, NULL},
};

static int fill_module(PyObject *module)
{
    return PyModule_AddIntConstant(module, "LAYOUT", LAYOUT);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, fill_module},
    {0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "odarchive.reading._native",
    .m_doc = "Reading many usual files; see native.py.",
    .m_methods = functions,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__native(void)
{
    return PyModuleDef_Init(&module);
}
