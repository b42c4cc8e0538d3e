/* Sheets of usual files laid out as one batch, for Python: bulk.Native. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "bulk.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <string.h>

/* One sheet with its place in the tree, as it was given; the bytes are borrowed. */
struct part {
    long long parent, first;
    const char *sheet;
    Py_ssize_t size;
    struct sheet_head head;
};

/* The files before this name's row, and where its bytes are. */
struct layout {
    struct batch_row *rows;
    char *names;
    uint64_t count, names_size;
    unsigned char *bits;
    int exponent; /* of two: how many bits */
    long long shortest;
    long long fresh, fresh_bytes;
    PyObject *doubted, *illegible;
};

/* False: an exception is set. */
static bool parse(PyObject *given, struct part *part)
{
    if (!PyTuple_Check(given)
        || !PyArg_ParseTuple(given, "LLy#", &part->parent, &part->first, &part->sheet, &part->size))
        return false;
    if (part->size >= (Py_ssize_t)sizeof part->head) {
        memcpy(&part->head, part->sheet, sizeof part->head);
        size_t rest = (size_t)part->size - sizeof part->head;
        /* A name has a byte and its end at least. */
        if (part->head.count > 0 && part->head.count <= rest / (sizeof(struct sheet_row) + 2))
            return true;
    }
    PyErr_SetString(PyExc_ValueError, "no sheet");
    return false;
}

/* contents.Filter: whether a digest may have been put in before; from now on it has. */
static bool doubt(struct layout *layout, const char *digest)
{
    uint32_t head;
    memcpy(&head, digest, sizeof head);
    unsigned char *place = &layout->bits[head >> (35 - layout->exponent)], bit = 1 << (head >> (32 - layout->exponent) & 7);
    bool before = *place & bit;
    *place |= bit;
    return before;
}

static bool append(PyObject *list, PyObject *item)
{
    bool good = item && PyList_Append(list, item) == 0;
    Py_XDECREF(item);
    return good;
}

/* Whether the bytes are what SQLite's text has; if not, what they stand for is told. False: an exception is set. */
static bool read_name(struct layout *layout, struct batch_row *row, const char *name)
{
    unsigned char high = 0;
    for (uint32_t i = 0; i < row->name_size; i++)
        high |= (unsigned char)name[i];
    row->legible = high < 0x80;
    if (row->legible)
        return true;
    Py_ssize_t size = 0;
    PyObject *text = PyUnicode_DecodeUTF8(name, row->name_size, "replace");
    const char *again = text ? PyUnicode_AsUTF8AndSize(text, &size) : NULL;
    row->legible = again && size == (Py_ssize_t)row->name_size && memcmp(again, name, (size_t)size) == 0;
    bool good = again && (row->legible || append(layout->illegible, Py_BuildValue("LO", (long long)row->ino, text)));
    Py_XDECREF(text);
    return good;
}

/* False: an exception is set. */
static bool judge(struct layout *layout, struct batch_row *row)
{
    const struct sheet_row *file = &row->file;
    if (file->size == 0)
        return true;
    if (doubt(layout, file->digest))
        return append(layout->doubted, Py_BuildValue("KLy#L", (unsigned long long)layout->count, (long long)row->ino,
                                                     file->digest, (Py_ssize_t)DIGEST, (long long)file->size));
    row->content = row->ino;
    row->fresh = 1;
    layout->fresh++;
    layout->fresh_bytes += file->size;
    return true;
}

static bool lay_part(struct layout *layout, const struct part *part)
{
    const char *from = part->sheet + sizeof part->head;
    const char *name = from + part->head.count * sizeof(struct sheet_row), *end = part->sheet + part->size;
    for (uint64_t i = 0; i < part->head.count; i++, from += sizeof(struct sheet_row)) {
        const char *behind = memchr(name, 0, (size_t)(end - name));
        if (!behind || behind == name || behind - name > UINT16_MAX) {
            PyErr_SetString(PyExc_ValueError, "no sheet");
            return false;
        }
        struct batch_row *row = &layout->rows[layout->count];
        *row = (struct batch_row){
            .parent = part->parent,
            .ino = part->first + (int64_t)i,
            .name = layout->names_size,
            .name_size = (uint32_t)(behind - name),
            .apart = (long long)part->head.count < layout->shortest,
        };
        memcpy(&row->file, from, sizeof row->file);
        memcpy(layout->names + layout->names_size, name, row->name_size);
        layout->names_size += row->name_size;
        if (!read_name(layout, row, name) || !judge(layout, row))
            return false;
        layout->count++;
        name = behind + 1;
    }
    return true;
}

/* The buffer for all parts, with room for all names, and what it needs at most; NULL: an exception is set. */
static PyObject *room_for(PyObject *parts, uint64_t *count)
{
    size_t names = 0;
    *count = 0;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(parts); i++) {
        struct part part;
        if (!parse(PyTuple_GET_ITEM(parts, i), &part))
            return NULL;
        *count += part.head.count;
        names += (size_t)part.size;
    }
    if (*count > UINT32_MAX)
        return PyErr_Format(PyExc_ValueError, "too many files for one batch");
    return PyByteArray_FromStringAndSize(
        NULL, (Py_ssize_t)(sizeof(struct batch_head) + *count * sizeof(struct batch_row) + names));
}

static PyObject *lay_all(PyObject *parts, struct layout *layout)
{
    uint64_t count;
    PyObject *batch = room_for(parts, &count);
    if (!batch)
        return NULL;
    struct batch_head head = {.count = count};
    char *to = PyByteArray_AS_STRING(batch);
    memcpy(to, &head, sizeof head);
    layout->rows = (struct batch_row *)(to + sizeof head);
    layout->names = (char *)(layout->rows + count);
    bool good = true;
    for (Py_ssize_t i = 0; good && i < PyTuple_GET_SIZE(parts); i++) {
        struct part part;
        good = parse(PyTuple_GET_ITEM(parts, i), &part) && lay_part(layout, &part);
    }
    if (!good || PyByteArray_Resize(batch, layout->names + layout->names_size - to) < 0)
        Py_CLEAR(batch);
    return batch;
}

static PyObject *lay_out(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    struct layout layout = {0};
    PyObject *given, *bits;
    if (!PyArg_ParseTuple(arguments, "OO!L", &given, &PyByteArray_Type, &bits, &layout.shortest))
        return NULL;
    Py_ssize_t size = PyByteArray_GET_SIZE(bits);
    if (size < 16 || size > 1 << 29 || (size & (size - 1)))
        return PyErr_Format(PyExc_ValueError, "%zd bytes are no filter", size);
    layout.bits = (unsigned char *)PyByteArray_AS_STRING(bits);
    layout.exponent = 3 + __builtin_ctzl((unsigned long)size);
    PyObject *parts = PySequence_Tuple(given), *batch = NULL, *result = NULL; /* our own: nobody changes it meanwhile */
    layout.doubted = PyList_New(0);
    layout.illegible = PyList_New(0);
    if (parts && layout.doubted && layout.illegible)
        batch = lay_all(parts, &layout);
    if (batch)
        result = Py_BuildValue("OOOLL", batch, layout.doubted, layout.illegible, layout.fresh, layout.fresh_bytes);
    Py_XDECREF(batch);
    Py_XDECREF(parts);
    Py_XDECREF(layout.doubted);
    Py_XDECREF(layout.illegible);
    return result;
}

/* The rows of a batch, and how many; NULL: an exception is set. */
static struct batch_row *rows_of(PyObject *batch, uint64_t *count)
{
    struct batch_head head = {0};
    char *from = PyByteArray_AS_STRING(batch);
    size_t size = (size_t)PyByteArray_GET_SIZE(batch);
    if (size >= sizeof head)
        memcpy(&head, from, sizeof head);
    if (size < sizeof head || head.count > (size - sizeof head) / sizeof(struct batch_row)) {
        PyErr_SetString(PyExc_ValueError, "no batch");
        return NULL;
    }
    *count = head.count;
    return (struct batch_row *)(from + sizeof head);
}

static PyObject *settle(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    PyObject *batch;
    unsigned long long at;
    long long content;
    uint64_t count;
    int fresh;
    if (!PyArg_ParseTuple(arguments, "O!KLp", &PyByteArray_Type, &batch, &at, &content, &fresh))
        return NULL;
    struct batch_row *rows = rows_of(batch, &count);
    if (!rows)
        return NULL;
    if (at >= count)
        return PyErr_Format(PyExc_IndexError, "no row %llu", at);
    rows[at].content = content;
    rows[at].fresh = fresh != 0;
    Py_RETURN_NONE;
}

/* False: an exception is set. */
static bool take_if_wanted(const struct batch_row *row, PyObject *wanted, PyObject *found)
{
    PyObject *digest = PyBytes_FromStringAndSize(row->file.digest, DIGEST);
    int is = digest ? PySet_Contains(wanted, digest) : -1;
    PyObject *number = is > 0 ? PyLong_FromLongLong(row->content) : NULL;
    bool good = is == 0 || (number && PyDict_SetItem(found, digest, number) == 0);
    Py_XDECREF(number);
    Py_XDECREF(digest);
    return good;
}

static PyObject *fresh_among(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    PyObject *batch, *wanted;
    uint64_t count;
    if (!PyArg_ParseTuple(arguments, "O!O!", &PyByteArray_Type, &batch, &PySet_Type, &wanted))
        return NULL;
    struct batch_row *rows = rows_of(batch, &count);
    PyObject *found = rows ? PyDict_New() : NULL;
    for (uint64_t i = 0; found && i < count; i++)
        if (rows[i].fresh && !take_if_wanted(&rows[i], wanted, found))
            Py_CLEAR(found);
    return found;
}

static PyMethodDef functions[] = {
    {"lay_out", lay_out, METH_VARARGS, "See bulk.Native."},
    {"fresh_among", fresh_among, METH_VARARGS, "See bulk.Native."},
    {"settle", settle, METH_VARARGS, "See bulk.Native."},
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
    .m_name = "odarchive.catalogue._bulk",
    .m_doc = "Many usual files into the catalogue at once; see bulk.py.",
    .m_methods = functions,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__bulk(void)
{
    if (make_table_known() != SQLITE_OK)
        return PyErr_Format(PyExc_ImportError, "SQLite does not take the table of usual files");
    return PyModuleDef_Init(&module);
}
