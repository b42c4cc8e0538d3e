/* Usual files into the catalogue with few steps for each: laid out once, then read by SQLite's own INSERT ... SELECT.
 *
 * `bulk.py` says what the functions do. A batch is one buffer: a head, rows, names. It never leaves the process.
 */

#ifndef ODARCHIVE_BULK_H
#define ODARCHIVE_BULK_H

#include <stddef.h>
#include <stdint.h>

#include "sheet.h"

struct batch_head {
    uint64_t count;
};

struct batch_row {
    int64_t parent, ino, content;
    uint64_t name; /* where it is behind the rows */
    uint32_t name_size;
    uint8_t apart, fresh, legible, gap;
    struct sheet_row file;
};
_Static_assert(sizeof(struct batch_row) == 120, "no gaps");

/* Make the table `usual_files` known to connections that are opened from now on: an SQLite result code. */
int make_table_known(void);

#endif
