/* A directory beside the catalogue's rows of it: scan/again.py. */

#include "native.h"

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
    ssize_t at = 0;
    for (const struct dirent64 *found; (found = next_entry(block, length, &at));) {
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

PyObject *compare(PyObject *Py_UNUSED(module), PyObject *arguments)
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
