/* Reading usual files: plain.read_usual. */

#include "native.h"

#include <sys/xattr.h>

enum {
    BLOCK = 1 << 20,  /* digest.BLOCK: larger files are read in parts */
    SPARSE = 1 << 16, /* attributes.SPARSE */
};
/* As in plain.py. */
static const int64_t SECOND_NS = 1000000000, COARSE_NS = 2000000000, TICK_NS = 50000000;

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
    PyObject *name, *digest; /* the name is borrowed */
};

static bool is_usual(struct usual *file)
{
    const struct stat *stat = &file->stat;
    return S_ISREG(stat->st_mode) && stat->st_nlink == 1 && stat->st_size < BLOCK
        && !(stat->st_size >= SPARSE && (int64_t)stat->st_blocks * 512 < stat->st_size)
        && stat->st_ino <= INT64_MAX && stat->st_dev <= INT64_MAX && nanoseconds(stat->st_mtim, &file->mtime)
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
    struct usual *files;
    Py_ssize_t count;
    PyObject *rest;
};

static PyObject *digest_of(const struct reading *reading, off_t size)
{
    if (size == 0)
        return Py_NewRef(Py_None);
    PyObject *bytes = PyBytes_FromStringAndSize(reading->data, (Py_ssize_t)size);
    PyObject *state = bytes ? PyObject_CallOneArg(reading->hasher, bytes) : NULL;
    PyObject *digest = state ? PyObject_CallMethodNoArgs(state, reading->digest) : NULL;
    Py_XDECREF(bytes);
    Py_XDECREF(state);
    return digest;
}

/* Read one name: among the files, or into the rest; false: an exception is set. */
static bool read_name(struct reading *reading, PyObject *name)
{
    struct usual *file = &reading->files[reading->count];
    bool good = false;
    if (PyBytes_Check(name) && strlen(PyBytes_AS_STRING(name)) == (size_t)PyBytes_GET_SIZE(name)) {
        Py_BEGIN_ALLOW_THREADS
        good = read_file(reading->folder, PyBytes_AS_STRING(name), file, reading->data);
        Py_END_ALLOW_THREADS
    }
    if (!good)
        return PyList_Append(reading->rest, name) == 0;
    file->name = name;
    file->digest = digest_of(reading, file->stat.st_size);
    reading->count += file->digest != NULL;
    return file->digest != NULL;
}

static bool read_names(struct reading *reading, PyObject *names)
{
    bool good = true;
    for (Py_ssize_t i = 0; good && i < PyTuple_GET_SIZE(names); i++)
        good = read_name(reading, PyTuple_GET_ITEM(names, i))
            && (i % PATIENCE != PATIENCE - 1 || PyErr_CheckSignals() == 0);
    return good;
}

static int files_by_name(const void *left, const void *right)
{
    const struct usual *one = left, *two = right;
    return strcmp(PyBytes_AS_STRING(one->name), PyBytes_AS_STRING(two->name));
}

/* plain.Plain */
enum { PLAIN_NAME, PLAIN_MODE, PLAIN_UID, PLAIN_GID, PLAIN_SIZE, PLAIN_MTIME, PLAIN_CTIME, PLAIN_DEV, PLAIN_INO,
       PLAIN_DIGEST, PLAIN_COLUMNS };

static int64_t number_of(const struct usual *file, int column, int64_t read_ns)
{
    const struct stat *stat = &file->stat;
    switch (column) {
    case PLAIN_MODE: return stat->st_mode;
    case PLAIN_UID: return stat->st_uid;
    case PLAIN_GID: return stat->st_gid;
    case PLAIN_SIZE: return stat->st_size;
    case PLAIN_MTIME: return file->mtime;
    case PLAIN_CTIME: return file->ctime;
    case PLAIN_DEV: return (int64_t)stat->st_dev;
    default: return stat->st_size > 0 && too_fresh(file->mtime, file->ctime, read_ns) ? 0 : (int64_t)stat->st_ino;
    }
}

static PyObject *column_of(const struct reading *reading, int column)
{
    PyObject *values = PyTuple_New(reading->count), *last = NULL;
    int64_t before = 0;
    for (Py_ssize_t i = 0; values && i < reading->count; i++) {
        const struct usual *file = &reading->files[i];
        if (column == PLAIN_NAME || column == PLAIN_DIGEST) {
            last = Py_NewRef(column == PLAIN_NAME ? file->name : file->digest);
        } else {
            int64_t number = number_of(file, column, reading->read_ns);
            last = last && number == before ? Py_NewRef(last) : PyLong_FromLongLong(number);
            before = number;
        }
        if (last)
            PyTuple_SET_ITEM(values, i, last);
        else
            Py_CLEAR(values);
    }
    return values;
}

/* A `Columns` value. */
static PyObject *columns_of(struct reading *reading)
{
    PyObject *items[PLAIN_COLUMNS];
    if (reading->count == 0)
        return PyTuple_New(0);
    qsort(reading->files, (size_t)reading->count, sizeof *reading->files, files_by_name);
    for (int column = 0; column < PLAIN_COLUMNS; column++)
        items[column] = column_of(reading, column);
    return tuple_of(items, PLAIN_COLUMNS);
}

PyObject *read_usual(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    struct reading reading = {0};
    long long read_ns;
    PyObject *given;
    if (!PyArg_ParseTuple(arguments, "iOLO", &reading.folder, &given, &read_ns, &reading.hasher))
        return NULL;
    if (read_ns < INT64_MIN / 2)
        return PyErr_Format(PyExc_ValueError, "%lld is no time of a clock", read_ns);
    reading.read_ns = read_ns;
    PyObject *names = PySequence_Tuple(given), *result = NULL; /* our own: nobody changes it meanwhile */
    if (!names)
        return NULL;
    reading.digest = PyUnicode_InternFromString("digest");
    reading.rest = PyList_New(0);
    reading.data = malloc(BLOCK);
    reading.files = calloc((size_t)PyTuple_GET_SIZE(names) + 1, sizeof *reading.files);
    if (!reading.data || !reading.files) {
        PyErr_NoMemory();
    } else if (reading.digest && reading.rest && read_names(&reading, names)) {
        PyObject *items[] = {columns_of(&reading), Py_NewRef(reading.rest)};
        result = tuple_of(items, 2);
    }
    for (Py_ssize_t i = 0; i < reading.count; i++)
        Py_DECREF(reading.files[i].digest);
    free(reading.files);
    free(reading.data);
    Py_XDECREF(reading.rest);
    Py_XDECREF(reading.digest);
    Py_DECREF(names);
    return result;
}
