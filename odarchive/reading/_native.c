/* The inner loop of a scan: what `plain.py` and `tree.py` do for usual files, with few steps per file.
 *
 * Every function here has a twin in Python that gives equal values; the tests run both over the same trees. Whatever
 * is unusual, and every failure of a single name, is handed back to be done the long way: a wrong row is never made.
 *
 * Threads: the lock of the interpreter is let go while the kernel works; nothing is shared between calls.
 */

#define PY_SSIZE_T_CLEAN
#define _GNU_SOURCE
#include <Python.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum {
    BLOCK = 1 << 20,      /* digest.BLOCK: larger files are read in parts */
    SPARSE = 1 << 16,     /* attributes.SPARSE */
    LISTING = 1 << 16,    /* bytes of names from the kernel at once */
    PATIENCE = 64,        /* files between two looks for signals */
};
static const int64_t SECOND_NS = 1000000000, COARSE_NS = 2000000000, TICK_NS = 50000000; /* as in plain.py */

/* Nanoseconds since the epoch; false: they do not fit into what a database has. */
static bool nanoseconds(struct timespec time, int64_t *out)
{
    int64_t value;
    if (__builtin_mul_overflow((int64_t)time.tv_sec, SECOND_NS, &value)
        || __builtin_add_overflow(value, (int64_t)time.tv_nsec, &value) || value == INT64_MIN)
        return false;
    *out = value;
    return true;
}

/* plain.too_fresh */
static bool too_fresh(int64_t mtime, int64_t ctime, int64_t read_ns)
{
    int64_t latest = mtime > ctime ? mtime : ctime;
    if (latest <= read_ns - COARSE_NS)
        return false;
    return latest > read_ns - (mtime % SECOND_NS == 0 && ctime % SECOND_NS == 0 ? COARSE_NS : TICK_NS);
}

/* A usual file as it was read. */
struct usual {
    struct stat stat;
    int64_t mtime, ctime;
};

static bool is_usual(struct usual *file)
{
    const struct stat *stat = &file->stat;
    return S_ISREG(stat->st_mode) && stat->st_nlink == 1 && stat->st_size < BLOCK
        && !(stat->st_size >= SPARSE && (int64_t)stat->st_blocks * 512 < stat->st_size)
        && stat->st_ino <= INT64_MAX && nanoseconds(stat->st_mtim, &file->mtime)
        && nanoseconds(stat->st_ctim, &file->ctime);
}

static bool has_attributes(int fd)
{
    ssize_t size = flistxattr(fd, NULL, 0);
    return size > 0 || (size < 0 && errno != ENOTSUP && errno != ENOSYS);
}

/* Read a file into `data` (BLOCK bytes); false: it is not usual, or something went wrong. */
static bool read_file(int folder, const char *name, struct usual *file, char *data)
{
    /* O_NONBLOCK: opening a FIFO that took a file's place must not wait for a writer. */
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool good = fstat(fd, &file->stat) == 0 && is_usual(file) && !has_attributes(fd);
    if (good && file->stat.st_size > 0) {
        struct stat after;
        off_t size = file->stat.st_size;
        good = read(fd, data, (size_t)size + 1) == (ssize_t)size && fstat(fd, &after) == 0 && after.st_size == size
            && after.st_mtim.tv_sec == file->stat.st_mtim.tv_sec && after.st_mtim.tv_nsec == file->stat.st_mtim.tv_nsec
            && after.st_ctim.tv_sec == file->stat.st_ctim.tv_sec && after.st_ctim.tv_nsec == file->stat.st_ctim.tv_nsec;
    }
    close(fd);
    return good;
}

/* What all names of one call have in common. */
struct reading {
    int folder;
    int64_t read_ns;
    PyObject *hasher, *digest; /* hasher(bytes).digest() is the digest */
    char *data;                /* BLOCK bytes */
    PyObject *rows, *rest;
};

static PyObject *digest_of(const struct reading *reading, off_t size)
{
    PyObject *bytes = PyBytes_FromStringAndSize(reading->data, (Py_ssize_t)size);
    PyObject *state = bytes ? PyObject_CallOneArg(reading->hasher, bytes) : NULL;
    PyObject *digest = state ? PyObject_CallMethodNoArgs(state, reading->digest) : NULL;
    Py_XDECREF(bytes);
    Py_XDECREF(state);
    return digest;
}

/* A new tuple of new references, which it takes; NULL when one of them is NULL. */
static PyObject *tuple_of(PyObject **items, Py_ssize_t count)
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

/* A `Plain` value of a file that was read. */
static PyObject *row_of(const struct reading *reading, PyObject *name, const struct usual *file)
{
    const struct stat *stat = &file->stat;
    bool fresh = stat->st_size > 0 && too_fresh(file->mtime, file->ctime, reading->read_ns);
    PyObject *items[] = {
        Py_NewRef(name),
        PyLong_FromUnsignedLong(stat->st_mode),
        PyLong_FromUnsignedLong(stat->st_uid),
        PyLong_FromUnsignedLong(stat->st_gid),
        PyLong_FromLongLong(stat->st_size),
        PyLong_FromLongLong(file->mtime),
        PyLong_FromLongLong(file->ctime),
        PyLong_FromUnsignedLongLong(stat->st_dev),
        PyLong_FromUnsignedLongLong(fresh ? 0 : stat->st_ino),
        stat->st_size > 0 ? digest_of(reading, stat->st_size) : Py_NewRef(Py_None),
    };
    return tuple_of(items, sizeof items / sizeof *items);
}

/* Read one name into one of the two lists; negative: an exception is set. */
static int read_name(const struct reading *reading, PyObject *name)
{
    struct usual file;
    bool good = false;
    if (PyBytes_Check(name) && strlen(PyBytes_AS_STRING(name)) == (size_t)PyBytes_GET_SIZE(name)) {
        Py_BEGIN_ALLOW_THREADS
        good = read_file(reading->folder, PyBytes_AS_STRING(name), &file, reading->data);
        Py_END_ALLOW_THREADS
    }
    if (!good)
        return PyList_Append(reading->rest, name);
    PyObject *row = row_of(reading, name, &file);
    int failed = row ? PyList_Append(reading->rows, row) : -1;
    Py_XDECREF(row);
    return failed;
}

static bool read_names(const struct reading *reading, PyObject *names)
{
    bool good = true;
    for (Py_ssize_t i = 0; good && i < PyTuple_GET_SIZE(names); i++)
        good = read_name(reading, PyTuple_GET_ITEM(names, i)) == 0
            && (i % PATIENCE != PATIENCE - 1 || PyErr_CheckSignals() == 0);
    return good;
}

PyDoc_STRVAR(read_usual_doc, "read_usual(folder, names, read_ns, hasher): see plain.read_usual.");

static PyObject *read_usual(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    struct reading reading = {0};
    long long read_ns;
    PyObject *given;
    if (!PyArg_ParseTuple(arguments, "iOLO", &reading.folder, &given, &read_ns, &reading.hasher))
        return NULL;
    if (read_ns < INT64_MIN / 2)
        return PyErr_Format(PyExc_ValueError, "%lld is no time of a clock", read_ns);
    reading.read_ns = read_ns;
    PyObject *items[] = {PyList_New(0), PyList_New(0)};
    PyObject *lists = tuple_of(items, 2);
    PyObject *names = PySequence_Tuple(given); /* our own: nobody changes it meanwhile */
    reading.digest = PyUnicode_InternFromString("digest");
    reading.data = malloc(BLOCK);
    bool good = lists && names && reading.digest;
    if (good && !reading.data) {
        PyErr_NoMemory();
        good = false;
    }
    if (good) {
        reading.rows = PyTuple_GET_ITEM(lists, 0);
        reading.rest = PyTuple_GET_ITEM(lists, 1);
        good = read_names(&reading, names);
    }
    free(reading.data);
    Py_XDECREF(reading.digest);
    Py_XDECREF(names);
    if (!good)
        Py_CLEAR(lists);
    return lists;
}

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
    for (ssize_t at = 0; at < length;) {
        const struct dirent64 *found = (const struct dirent64 *)(block + at);
        at += found->d_reclen;
        if (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0)
            continue;
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

PyDoc_STRVAR(told_apart_doc, "told_apart(folder): see tree.told_apart.");

static PyObject *told_apart(PyObject *Py_UNUSED(module), PyObject *argument)
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

static PyMethodDef functions[] = {
    {"read_usual", read_usual, METH_VARARGS, read_usual_doc},
    {"told_apart", told_apart, METH_O, told_apart_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "odarchive.reading._native",
    .m_doc = "Reading many usual files; see _native.c.",
    .m_methods = functions,
};

PyMODINIT_FUNC PyInit__native(void)
{
    return PyModuleDef_Init(&module);
}
