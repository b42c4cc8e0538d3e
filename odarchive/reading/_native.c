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

/* The names of a directory, in bytes order, each once. No Python in here: it works without the interpreter's lock. */
struct listing {
    char *text;         /* the names one after the other, each with its end */
    size_t used, room;
    const char **names; /* into `text` */
    size_t count;
};

static int by_name(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* A block of a listing into `text`. */
static bool gather(struct listing *listing, const char *block, ssize_t length)
{
    if (listing->room - listing->used < (size_t)length) { /* names are shorter than what the kernel says of them */
        size_t room = 2 * listing->room + LISTING;
        char *text = realloc(listing->text, room);
        if (!text)
            return false;
        listing->text = text;
        listing->room = room;
    }
    for (ssize_t at = 0; at < length;) {
        const struct dirent64 *found = (const struct dirent64 *)(block + at);
        at += found->d_reclen;
        if (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0)
            continue;
        size_t size = strlen(found->d_name) + 1;
        memcpy(listing->text + listing->used, found->d_name, size);
        listing->used += size;
        listing->count++;
    }
    return true;
}

static bool sort_names(struct listing *listing)
{
    listing->names = calloc(listing->count + 1, sizeof *listing->names);
    if (!listing->names)
        return false;
    const char *next = listing->text;
    for (size_t i = 0; i < listing->count; i++, next += strlen(next) + 1)
        listing->names[i] = next;
    qsort(listing->names, listing->count, sizeof *listing->names, by_name);
    size_t kept = 0;
    for (size_t i = 0; i < listing->count; i++)
        if (kept == 0 || strcmp(listing->names[kept - 1], listing->names[i]) != 0)
            listing->names[kept++] = listing->names[i];
    listing->count = kept;
    return true;
}

/* errno, or 0. */
static int list_names(int folder, struct listing *listing)
{
    _Alignas(struct dirent64) char block[LISTING];
    ssize_t length = lseek(folder, 0, SEEK_SET) < 0 ? -1 : 1;
    while (length > 0) {
        length = getdents64(folder, block, sizeof block);
        if (length > 0 && !gather(listing, block, length))
            return ENOMEM;
    }
    if (length < 0)
        return errno;
    return sort_names(listing) ? 0 : ENOMEM;
}

/* Names on disk beside rows of the catalogue; both ascend by name. */
struct merge {
    PyObject *rows;        /* an iterator */
    PyObject *row, *ahead; /* the next row and the one behind it, or NULL */
    int64_t snapshot;
    long long files, bytes;
    PyObject *folders, *rest;
};

/* catalogue.entries.Version */
enum { NAME = 0, SINCE = 1, UNTIL = 2, INO = 3, NLINK = 4, MODE = 8, COLUMNS = 16 };

static bool advance(struct merge *merge)
{
    Py_XSETREF(merge->row, merge->ahead);
    merge->ahead = PyIter_Next(merge->rows);
    if (!merge->ahead)
        return !PyErr_Occurred();
    if (PyTuple_Check(merge->ahead) && PyTuple_GET_SIZE(merge->ahead) == COLUMNS
        && PyBytes_Check(PyTuple_GET_ITEM(merge->ahead, NAME)))
        return true;
    PyErr_SetString(PyExc_TypeError, "no row of the catalogue");
    return false;
}

/* The name of a row beside another one; `size` without its end. */
static int order(PyObject *row, const char *name, size_t size)
{
    PyObject *own = PyTuple_GET_ITEM(row, NAME);
    size_t length = (size_t)PyBytes_GET_SIZE(own);
    int found = memcmp(PyBytes_AS_STRING(own), name, length < size ? length : size);
    return found ? found : (length > size) - (length < size);
}

static bool is(PyObject *row, int column, int64_t value)
{
    int overflow;
    PyObject *item = PyTuple_GET_ITEM(row, column);
    return PyLong_Check(item) && PyLong_AsLongLongAndOverflow(item, &overflow) == value && !overflow;
}

/* compare.as_it_was, and the same of a directory: nothing is to be done for the name. */
static bool as_it_was(const struct merge *merge, const struct stat *stat)
{
    int64_t mtime, ctime;
    bool folder = S_ISDIR(stat->st_mode);
    if (!(folder || ((S_ISREG(stat->st_mode) || S_ISLNK(stat->st_mode)) && stat->st_nlink == 1))
        || !nanoseconds(stat->st_mtim, &mtime) || !nanoseconds(stat->st_ctim, &ctime))
        return false;
    const int64_t facts[] = {stat->st_mode, stat->st_uid, stat->st_gid, folder ? 0 : stat->st_size, mtime, ctime,
                             (int64_t)stat->st_dev, (int64_t)stat->st_ino};
    bool same = !is(merge->row, SINCE, merge->snapshot) && PyTuple_GET_ITEM(merge->row, UNTIL) == Py_None
        && is(merge->row, NLINK, folder ? 2 : 1);
    for (int i = 0; i < COLUMNS - MODE; i++)
        same = same && is(merge->row, MODE + i, facts[i]);
    return same;
}

static bool append(PyObject *list, PyObject *item)
{
    bool good = item && PyList_Append(list, item) == 0;
    Py_XDECREF(item);
    return good;
}

/* The name with its rows, if it has any, is to be looked at. */
static bool leave(struct merge *merge, const char *name, size_t size)
{
    PyObject *items[] = {PyBytes_FromStringAndSize(name, (Py_ssize_t)size), PyList_New(0)};
    PyObject *rows = items[1], *left = tuple_of(items, 2);
    bool good = left != NULL;
    while (good && merge->row && order(merge->row, name, size) == 0)
        good = PyList_Append(rows, merge->row) == 0 && advance(merge);
    good = good && PyList_Append(merge->rest, left) == 0;
    Py_XDECREF(left);
    return good;
}

/* The rows before a name (NULL: all that there are) are of names that are gone. */
static bool leave_before(struct merge *merge, const char *name, size_t size)
{
    while (merge->row && (!name || order(merge->row, name, size) < 0)) {
        PyObject *own = Py_NewRef(PyTuple_GET_ITEM(merge->row, NAME));
        bool good = leave(merge, PyBytes_AS_STRING(own), (size_t)PyBytes_GET_SIZE(own));
        Py_DECREF(own);
        if (!good)
            return false;
    }
    return true;
}

/* `failed`: errno of looking at it, or 0. */
static bool merge_name(struct merge *merge, const char *name, const struct stat *stat, int failed)
{
    size_t size = strlen(name);
    if (!leave_before(merge, name, size))
        return false;
    bool known = merge->row && order(merge->row, name, size) == 0;
    if (!known && failed == ENOENT)
        return true;
    bool single = known && !(merge->ahead && order(merge->ahead, name, size) == 0);
    if (!single || failed || !as_it_was(merge, stat))
        return leave(merge, name, size);
    if (S_ISDIR(stat->st_mode)
        && !append(merge->folders, Py_BuildValue("OOKK", PyTuple_GET_ITEM(merge->row, NAME),
                                                 PyTuple_GET_ITEM(merge->row, INO), (unsigned long long)stat->st_dev,
                                                 (unsigned long long)stat->st_ino)))
        return false;
    if (S_ISREG(stat->st_mode)) {
        merge->files++;
        merge->bytes += stat->st_size;
    }
    return advance(merge);
}

/* `limit`: names that may be left; more is no error. */
static bool merge_all(struct merge *merge, int folder, const struct listing *listing, Py_ssize_t limit)
{
    struct stat stats[PATIENCE];
    int failed[PATIENCE];
    for (size_t start = 0; start < listing->count && PyList_GET_SIZE(merge->rest) <= limit; start += PATIENCE) {
        size_t end = start + PATIENCE < listing->count ? start + PATIENCE : listing->count;
        Py_BEGIN_ALLOW_THREADS
        for (size_t i = start; i < end; i++)
            failed[i - start] = fstatat(folder, listing->names[i], &stats[i - start], AT_SYMLINK_NOFOLLOW) ? errno : 0;
        Py_END_ALLOW_THREADS
        for (size_t i = start; i < end; i++)
            if (!merge_name(merge, listing->names[i], &stats[i - start], failed[i - start]))
                return false;
        if (PyErr_CheckSignals() < 0)
            return false;
    }
    return PyList_GET_SIZE(merge->rest) > limit || leave_before(merge, NULL, 0);
}

PyDoc_STRVAR(compare_doc, "compare(folder, rows, snapshot, limit): see native.Native.");

static PyObject *compare(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    int folder, failed;
    long long snapshot;
    Py_ssize_t limit;
    PyObject *given, *result = NULL;
    struct listing listing = {0};
    if (!PyArg_ParseTuple(arguments, "iOLn", &folder, &given, &snapshot, &limit))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    failed = list_names(folder, &listing);
    Py_END_ALLOW_THREADS
    struct merge merge = {.snapshot = snapshot};
    if (failed) {
        errno = failed;
        PyErr_SetFromErrno(PyExc_OSError);
    } else if ((merge.rows = PyObject_GetIter(given)) && (merge.folders = PyList_New(0))
               && (merge.rest = PyList_New(0)) && advance(&merge) && (!merge.ahead || advance(&merge))
               && merge_all(&merge, folder, &listing, limit)) {
        if (PyList_GET_SIZE(merge.rest) > limit)
            result = Py_NewRef(Py_None);
        else
            result = Py_BuildValue("LLOO", merge.files, merge.bytes, merge.folders, merge.rest);
    }
    Py_XDECREF(merge.rows);
    Py_XDECREF(merge.row);
    Py_XDECREF(merge.ahead);
    Py_XDECREF(merge.folders);
    Py_XDECREF(merge.rest);
    free(listing.text);
    free(listing.names);
    return result;
}

static PyMethodDef functions[] = {
    {"read_usual", read_usual, METH_VARARGS, read_usual_doc},
    {"told_apart", told_apart, METH_O, told_apart_doc},
    {"compare", compare, METH_VARARGS, compare_doc},
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
