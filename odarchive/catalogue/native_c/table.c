/* The table `usual_files(batch)`: the rows of a batch as SQLite reads them. No Python in here.
 *
 * An eponymous virtual table (sqlite.org/vtab.html, 2.1.2): its hidden column is the batch, given like an argument.
 */

#include "bulk.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { PARENT, NAME, INO, CONTENT, MODE, UID, GID, SIZE, MTIME, CTIME, DEV, SOURCE_INO, APART, DIGEST_OF, FRESH, WORDS,
       BATCH };

static const char declaration[] =
    "CREATE TABLE usual_files (parent, name, ino, content, mode, uid, gid, size, mtime_ns, ctime_ns, src_dev, src_ino,"
    " apart, digest, fresh, words, batch HIDDEN)";

enum { BY_INO = 1 };

struct cursor {
    sqlite3_vtab_cursor base;
    char *batch; /* our own copy */
    const char *names;
    uint64_t count, at;
    uint32_t *order; /* NULL: as they lie */
};

static int connect_table(sqlite3 *db, void *nothing, int argc, const char *const *argv, sqlite3_vtab **out,
                         char **message)
{
    (void)nothing, (void)argc, (void)argv, (void)message;
    int outcome = sqlite3_declare_vtab(db, declaration);
    if (outcome != SQLITE_OK)
        return outcome;
    *out = sqlite3_malloc(sizeof **out);
    if (!*out)
        return SQLITE_NOMEM;
    memset(*out, 0, sizeof **out);
    return SQLITE_OK;
}

static int disconnect(sqlite3_vtab *table)
{
    sqlite3_free(table);
    return SQLITE_OK;
}

static int best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
    (void)table;
    for (int i = 0; i < info->nConstraint; i++) {
        const struct sqlite3_index_constraint *constraint = &info->aConstraint[i];
        if (constraint->iColumn != BATCH || constraint->op != SQLITE_INDEX_CONSTRAINT_EQ || !constraint->usable)
            continue;
        info->aConstraintUsage[i].argvIndex = 1;
        info->aConstraintUsage[i].omit = 1;
        if (info->nOrderBy == 1 && info->aOrderBy[0].iColumn == INO && !info->aOrderBy[0].desc) {
            info->orderByConsumed = 1;
            info->idxNum = BY_INO;
        }
        return SQLITE_OK;
    }
    return SQLITE_CONSTRAINT; /* there is nothing without a batch */
}

static int open_cursor(sqlite3_vtab *table, sqlite3_vtab_cursor **out)
{
    (void)table;
    struct cursor *cursor = sqlite3_malloc(sizeof *cursor);
    if (!cursor)
        return SQLITE_NOMEM;
    memset(cursor, 0, sizeof *cursor);
    *out = &cursor->base;
    return SQLITE_OK;
}

static void let_go(struct cursor *cursor)
{
    free(cursor->batch);
    free(cursor->order);
    cursor->batch = NULL;
    cursor->order = NULL;
    cursor->count = cursor->at = 0;
}

static int close_cursor(sqlite3_vtab_cursor *base)
{
    let_go((struct cursor *)base);
    sqlite3_free(base);
    return SQLITE_OK;
}

/* The buffer comes from malloc, and the sizes before each row are multiples of eight. */
static const struct batch_row *row_at(const struct cursor *cursor, uint64_t at)
{
    return (const struct batch_row *)(cursor->batch + sizeof(struct batch_head)) + at;
}

/* Whether everything it refers to is inside of it. */
static bool is_whole(struct cursor *cursor, size_t size)
{
    struct batch_head head;
    if (size < sizeof head)
        return false;
    memcpy(&head, cursor->batch, sizeof head);
    size -= sizeof head;
    if (head.count > UINT32_MAX || head.count > size / sizeof(struct batch_row))
        return false;
    size -= head.count * sizeof(struct batch_row);
    for (uint64_t i = 0; i < head.count; i++) {
        const struct batch_row *row = row_at(cursor, i);
        if (row->name > size || row->name_size > size - row->name)
            return false;
    }
    cursor->count = head.count;
    cursor->names = (const char *)row_at(cursor, head.count);
    return true;
}

struct numbered {
    int64_t ino;
    uint32_t at;
};

static int by_ino(const void *left, const void *right)
{
    const struct numbered *one = left, *two = right;
    return (one->ino > two->ino) - (one->ino < two->ino);
}

static bool put_in_order(struct cursor *cursor)
{
    struct numbered *all = malloc((cursor->count + 1) * sizeof *all);
    cursor->order = malloc((cursor->count + 1) * sizeof *cursor->order);
    if (all && cursor->order) {
        for (uint64_t i = 0; i < cursor->count; i++)
            all[i] = (struct numbered){row_at(cursor, i)->ino, (uint32_t)i};
        qsort(all, cursor->count, sizeof *all, by_ino);
        for (uint64_t i = 0; i < cursor->count; i++)
            cursor->order[i] = all[i].at;
    }
    free(all);
    return all && cursor->order;
}

static int filter(sqlite3_vtab_cursor *base, int plan, const char *text, int argc, sqlite3_value **argv)
{
    (void)text;
    struct cursor *cursor = (struct cursor *)base;
    let_go(cursor);
    const void *given = argc == 1 ? sqlite3_value_blob(argv[0]) : NULL;
    size_t size = given ? (size_t)sqlite3_value_bytes(argv[0]) : 0;
    cursor->batch = malloc(size + 1);
    if (!cursor->batch)
        return SQLITE_NOMEM;
    if (size)
        memcpy(cursor->batch, given, size);
    if (!is_whole(cursor, size))
        return SQLITE_MISMATCH;
    return plan != BY_INO || put_in_order(cursor) ? SQLITE_OK : SQLITE_NOMEM;
}

static int next(sqlite3_vtab_cursor *base)
{
    ((struct cursor *)base)->at++;
    return SQLITE_OK;
}

static int at_end(sqlite3_vtab_cursor *base)
{
    const struct cursor *cursor = (const struct cursor *)base;
    return cursor->at >= cursor->count;
}

static void give_number(sqlite3_context *out, const struct batch_row *row, int column)
{
    const struct sheet_row *file = &row->file;
    const int64_t numbers[] = {
        [PARENT] = row->parent, [INO] = row->ino,         [CONTENT] = row->content,    [MODE] = file->mode,
        [UID] = file->uid,      [GID] = file->gid,        [SIZE] = file->size,         [MTIME] = file->mtime_ns,
        [CTIME] = file->ctime_ns, [DEV] = file->dev,      [SOURCE_INO] = file->ino,    [APART] = row->apart,
        [FRESH] = row->fresh,
    };
    sqlite3_result_int64(out, numbers[column]);
}

static int column_of(sqlite3_vtab_cursor *base, sqlite3_context *out, int column)
{
    const struct cursor *cursor = (const struct cursor *)base;
    const struct batch_row *row = row_at(cursor, cursor->order ? cursor->order[cursor->at] : cursor->at);
    const char *name = cursor->names + row->name;
    /* Without a copy: the batch stays until the cursor moves on, and each row is used up before that. */
    if (column == NAME)
        sqlite3_result_blob(out, name, (int)row->name_size, SQLITE_STATIC);
    else if (column == WORDS && row->legible)
        sqlite3_result_text(out, name, (int)row->name_size, SQLITE_STATIC);
    else if (column == DIGEST_OF && row->file.size)
        sqlite3_result_blob(out, row->file.digest, DIGEST, SQLITE_STATIC);
    else if (column < DIGEST_OF || column == FRESH) {
        if (column != CONTENT || row->content)
            give_number(out, row, column);
    }
    return SQLITE_OK; /* all else is NULL */
}

static int row_number(sqlite3_vtab_cursor *base, sqlite3_int64 *out)
{
    *out = (sqlite3_int64)((const struct cursor *)base)->at;
    return SQLITE_OK;
}

static const sqlite3_module usual_files = {
    .iVersion = 0,
    .xConnect = connect_table, /* without xCreate: there is one, and it needs no name of its own */
    .xBestIndex = best_index,
    .xDisconnect = disconnect,
    .xOpen = open_cursor,
    .xClose = close_cursor,
    .xFilter = filter,
    .xNext = next,
    .xEof = at_end,
    .xColumn = column_of,
    .xRowid = row_number,
};

static int introduce(sqlite3 *db, const char **message, const void *routines)
{
    (void)message, (void)routines;
    return sqlite3_create_module(db, "usual_files", &usual_files, NULL);
}

int make_table_known(void)
{
    return sqlite3_auto_extension((void (*)(void))introduce);
}
