/* Reading usual files: plain.read_usual. */

#include "native.h"

#include <sys/uio.h>
#include <sys/xattr.h>

enum {
    WAITING = 32,     /* files that are open at once while the disk brings their bytes */
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
    PyObject *name; /* borrowed */
    char digest[DIGEST];
    int fd;
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

/* What all names of one call have in common. */
struct reading {
    int folder;
    int64_t read_ns;
    PyObject *hasher, *digest; /* hasher(bytes).digest() is the digest */
    char *data;                /* BLOCK bytes */
    bool nowait;               /* the file system tells what is not in memory */
    struct usual *files;
    Py_ssize_t count;
    struct usual waiting[WAITING];
    int waits;
    PyObject *rest;
};

enum outcome { UNUSUAL, READ, WAITS };

/* With the bytes there: whether they are of the file that was looked at. Closes it. */
static enum outcome finish(const struct usual *file, ssize_t got)
{
    struct stat after;
    const struct stat *before = &file->stat;
    bool same = got == before->st_size && fstat(file->fd, &after) == 0 && after.st_size == before->st_size
        && after.st_mtim.tv_sec == before->st_mtim.tv_sec && after.st_mtim.tv_nsec == before->st_mtim.tv_nsec
        && after.st_ctim.tv_sec == before->st_ctim.tv_sec && after.st_ctim.tv_nsec == before->st_ctim.tv_nsec;
    close(file->fd);
    return same ? READ : UNUSUAL;
}

/* Read a file into `data`, or have the disk begin with it. */
static enum outcome start(struct reading *reading, const char *name, struct usual *file)
{
    /* O_NONBLOCK: opening a FIFO that took a file's place must not wait for a writer. */
    int fd = file->fd = openat(reading->folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return UNUSUAL;
    bool usual = fstat(fd, &file->stat) == 0 && is_usual(file) && !has_attributes(fd);
    if (!usual || file->stat.st_size == 0) {
        close(fd);
        return usual ? READ : UNUSUAL;
    }
    struct iovec all = {reading->data, (size_t)file->stat.st_size + 1};
    ssize_t got = reading->nowait ? preadv2(fd, &all, 1, 0, RWF_NOWAIT) : -1;
    if (got == file->stat.st_size)
        return finish(file, got);
    if (reading->nowait && got < 0 && errno != EAGAIN)
        reading->nowait = false;
    if (!reading->nowait)
        return finish(file, read(fd, all.iov_base, all.iov_len));
    posix_fadvise(fd, 0, file->stat.st_size, POSIX_FADV_WILLNEED);
    return WAITS;
}

/* False: an exception is set. */
static bool take_digest(const struct reading *reading, off_t size, char *digest)
{
    if (size == 0)
        return true;
    PyObject *bytes = PyBytes_FromStringAndSize(reading->data, (Py_ssize_t)size);
    PyObject *state = bytes ? PyObject_CallOneArg(reading->hasher, bytes) : NULL;
    PyObject *found = state ? PyObject_CallMethodNoArgs(state, reading->digest) : NULL;
    bool good = found && PyBytes_Check(found) && PyBytes_GET_SIZE(found) == DIGEST;
    if (good)
        memcpy(digest, PyBytes_AS_STRING(found), DIGEST);
    else if (found)
        PyErr_SetString(PyExc_TypeError, "no digest of 32 bytes");
    Py_XDECREF(bytes);
    Py_XDECREF(state);
    Py_XDECREF(found);
    return good;
}

/* Its bytes are in `data`; false: an exception is set. */
static bool keep(struct reading *reading, const struct usual *file)
{
    struct usual *place = &reading->files[reading->count];
    *place = *file;
    bool good = take_digest(reading, file->stat.st_size, place->digest);
    reading->count += good;
    return good;
}

/* Read what waits; false: an exception is set. */
static bool read_waiting(struct reading *reading)
{
    bool good = true;
    for (int i = 0; i < reading->waits; i++) {
        const struct usual *file = &reading->waiting[i];
        enum outcome outcome;
        Py_BEGIN_ALLOW_THREADS
        outcome = finish(file, read(file->fd, reading->data, (size_t)file->stat.st_size + 1));
        Py_END_ALLOW_THREADS
        good = good && (outcome == READ ? keep(reading, file) : PyList_Append(reading->rest, file->name) == 0);
    }
    reading->waits = 0;
    return good;
}

/* False: an exception is set. */
static bool read_name(struct reading *reading, PyObject *name)
{
    struct usual file = {.name = name};
    enum outcome outcome = UNUSUAL;
    if (PyBytes_Check(name) && strlen(PyBytes_AS_STRING(name)) == (size_t)PyBytes_GET_SIZE(name)) {
        Py_BEGIN_ALLOW_THREADS
        outcome = start(reading, PyBytes_AS_STRING(name), &file);
        Py_END_ALLOW_THREADS
    }
    if (outcome == READ)
        return keep(reading, &file);
    if (outcome == UNUSUAL)
        return PyList_Append(reading->rest, name) == 0;
    reading->waiting[reading->waits++] = file;
    return reading->waits < WAITING || read_waiting(reading);
}

static bool read_names(struct reading *reading, PyObject *names)
{
    bool good = true;
    for (Py_ssize_t i = 0; good && i < PyTuple_GET_SIZE(names); i++)
        good = read_name(reading, PyTuple_GET_ITEM(names, i))
            && (i % PATIENCE != PATIENCE - 1 || PyErr_CheckSignals() == 0);
    good = good && read_waiting(reading);
    for (int i = 0; i < reading->waits; i++) /* after an exception */
        close(reading->waiting[i].fd);
    return good;
}

static int files_by_name(const void *left, const void *right)
{
    const struct usual *one = left, *two = right;
    return strcmp(PyBytes_AS_STRING(one->name), PyBytes_AS_STRING(two->name));
}

static void fill(struct sheet_row *row, const struct usual *file, int64_t read_ns)
{
    const struct stat *stat = &file->stat;
    bool again = stat->st_size > 0 && too_fresh(file->mtime, file->ctime, read_ns);
    *row = (struct sheet_row){
        .mode = stat->st_mode,
        .uid = stat->st_uid,
        .gid = stat->st_gid,
        .size = (uint32_t)stat->st_size,
        .mtime_ns = file->mtime,
        .ctime_ns = file->ctime,
        .dev = (int64_t)stat->st_dev,
        .ino = again ? 0 : (int64_t)stat->st_ino,
    };
    memcpy(row->digest, file->digest, DIGEST);
}

/* A `Sheet` value: sheet.packed. */
static PyObject *sheet_of(struct reading *reading)
{
    size_t count = (size_t)reading->count, length = sizeof(struct sheet_head) + count * sizeof(struct sheet_row);
    struct sheet_head head = {.count = count};
    if (count == 0)
        return PyBytes_FromStringAndSize(NULL, 0);
    qsort(reading->files, count, sizeof *reading->files, files_by_name);
    for (size_t i = 0; i < count; i++) {
        head.total += (uint64_t)reading->files[i].stat.st_size;
        length += (size_t)PyBytes_GET_SIZE(reading->files[i].name) + 1;
    }
    PyObject *sheet = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)length);
    if (!sheet)
        return NULL;
    char *to = PyBytes_AS_STRING(sheet), *names = to + sizeof head + count * sizeof(struct sheet_row);
    memcpy(to, &head, sizeof head);
    to += sizeof head;
    for (size_t i = 0; i < count; i++) {
        const struct usual *file = &reading->files[i];
        size_t size = (size_t)PyBytes_GET_SIZE(file->name) + 1;
        struct sheet_row row;
        fill(&row, file, reading->read_ns);
        memcpy(to, &row, sizeof row);
        to += sizeof row;
        memcpy(names, PyBytes_AS_STRING(file->name), size);
        names += size;
    }
    return sheet;
}

PyObject *read_usual(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    struct reading reading = {.nowait = true};
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
        PyObject *items[] = {sheet_of(&reading), Py_NewRef(reading.rest)};
        result = tuple_of(items, 2);
    }
    free(reading.files);
    free(reading.data);
    Py_XDECREF(reading.rest);
    Py_XDECREF(reading.digest);
    Py_DECREF(names);
    return result;
}
