/* The layout of `reading/sheet.py`: a head, `count` rows, and as many names, each with a zero byte behind it. */

#ifndef ODARCHIVE_SHEET_H
#define ODARCHIVE_SHEET_H

#include <stdint.h>

enum {
    LAYOUT = 3, /* sheet.LAYOUT: another one for every change of what the extensions take and give */
    DIGEST = 32,
};

struct sheet_head {
    uint64_t count, total;
};

/* Without gaps, as all layouts that are written whole. */
struct sheet_row {
    uint32_t mode, uid, gid, size;
    int64_t mtime_ns, ctime_ns, dev, ino;
    char digest[DIGEST];
};
_Static_assert(sizeof(struct sheet_row) == 80, "sheet._ROW has no gaps");

#endif
