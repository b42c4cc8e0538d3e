/* The names of a directory, files apart from others: tree.told_apart. */

#include "native.h"

/* A file of a directory; the name is borrowed. */
struct entry {
    uint64_t inode;
    PyObject *name;
};

static int by_inode(const void *left, const void *right)
{
    const struct entry *one = left, *two = right;
    if (one->inode != two->inode)
        return one->inode < two->inode ? -1 : 1;
    return strcmp(PyBytes_AS_STRING(one->name), PyBytes_AS_STRING(two->name));
}

static bool is_file(int folder, const struct dirent64 *found)
{
    struct stat stat;
    if (found->d_type != DT_UNKNOWN)
        return found->d_type == DT_REG;
    return fstatat(folder, found->d_name, &stat, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(stat.st_mode);
}

/* A block of a listing into two dicts by name: `files` with their inodes, all else into `others`. */
static bool sort_out(int folder, const char *block, ssize_t length, PyObject *files, PyObject *others)
{
    ssize_t at = 0;
    for (const struct dirent64 *found; (found = next_entry(block, length, &at));) {
        bool file = is_file(folder, found);
        PyObject *name = PyBytes_FromString(found->d_name);
        PyObject *value = file ? PyLong_FromUnsignedLongLong(found->d_ino) : Py_NewRef(Py_None);
        bool good = name && value && PyDict_SetItem(file ? files : others, name, value) == 0;
        Py_XDECREF(name);
        Py_XDECREF(value);
        if (!good)
            return false;
    }
    return true;
}

static bool list_all(int folder, PyObject *files, PyObject *others)
{
    _Alignas(struct dirent64) char block[LISTING];
    /* Whoever reads from this descriptor begins at the beginning. */
    ssize_t length = lseek(folder, 0, SEEK_SET) < 0 ? -1 : 1;
    while (length > 0) {
        Py_BEGIN_ALLOW_THREADS
        length = getdents64(folder, block, sizeof block);
        Py_END_ALLOW_THREADS
        if (length > 0 && (!sort_out(folder, block, length, files, others) || PyErr_CheckSignals() < 0))
            return false;
    }
    if (length < 0)
        PyErr_SetFromErrno(PyExc_OSError);
    return length == 0;
}

/* The names in the order of their inodes; NULL: an exception is set. */
static PyObject *in_order(PyObject *files)
{
    Py_ssize_t count = PyDict_GET_SIZE(files), at = 0;
    struct entry *all = calloc((size_t)count + 1, sizeof *all), *next = all;
    if (!all)
        return PyErr_NoMemory();
    for (PyObject *name, *inode; PyDict_Next(files, &at, &name, &inode);)
        *next++ = (struct entry){PyLong_AsUnsignedLongLong(inode), name};
    qsort(all, (size_t)count, sizeof *all, by_inode);
    PyObject *list = PyList_New(count);
    for (Py_ssize_t i = 0; list && i < count; i++)
        PyList_SET_ITEM(list, i, Py_NewRef(all[i].name));
    free(all);
    return list;
}

/* Those of `others` that are not among the files; NULL: an exception is set. */
static PyObject *not_among(PyObject *files, PyObject *others)
{
    PyObject *list = PyList_New(0);
    Py_ssize_t at = 0;
    for (PyObject *name, *value; list && PyDict_Next(others, &at, &name, &value);) {
        int there = PyDict_Contains(files, name);
        if (there < 0 || (!there && PyList_Append(list, name) < 0))
            Py_CLEAR(list);
    }
    return list;
}

PyObject *told_apart(PyObject *Py_UNUSED(module), PyObject *argument)
{
    long folder = PyLong_AsLong(argument);
    if (folder == -1 && PyErr_Occurred())
        return NULL;
    PyObject *files = PyDict_New(), *others = PyDict_New(), *lists = NULL;
    if (files && others && list_all((int)folder, files, others)) {
        PyObject *items[] = {in_order(files), NULL};
        items[1] = items[0] ? not_among(files, others) : NULL;
        lists = tuple_of(items, 2);
    }
    Py_XDECREF(files);
    Py_XDECREF(others);
    return lists;
}
