"""A catalogue with a scanned tree in it, made by inserting rows; the scan itself has its own tests."""

import itertools
import os
import stat
import time

from blake3 import blake3
from sqlalchemy import func, insert, select

from odarchive.catalogue import schema
from odarchive.catalogue.database import Catalogue
from odarchive.model import ROOT_INO

ARCHIVE = "0a1b2c3d-0000-4000-8000-00000000abcd"


def new_catalogue(path, prefix="TEST"):
    catalogue = Catalogue(path)
    with catalogue.write() as connection:
        schema.metadata.create_all(connection)
        facts = {"uuid": ARCHIVE, "label_prefix": prefix, "created_ns": "1", "copies": "1"}
        connection.execute(insert(schema.archive), [{"key": k, "value": v} for k, v in facts.items()])
        root = {
            "parent": 0,
            "name": b"",
            "since": 0,
            "ino": ROOT_INO,
            "mode": stat.S_IFDIR | 0o755,
            "nlink": 2,
            "uid": 0,
            "gid": 0,
        }
        root |= {"size": 0, "mtime_ns": 0, "ctime_ns": 0, "src_dev": 0, "src_ino": 0, "carrier": 0}
        connection.execute(insert(schema.entry).values(**root))
    return catalogue


def plant(catalogue, path, name=b"src", state="complete"):
    """Record a real tree as a complete snapshot of a new source; gives the snapshot's id."""
    path = os.fsencode(path)
    with catalogue.write() as connection:
        now = time.time_ns()
        connection.execute(insert(schema.source).values(name=name, path=path, created_ns=now))
        source = connection.execute(select(func.max(schema.source.c.id))).scalar()
        connection.execute(insert(schema.snapshot).values(source=source, state=state, started_ns=now, finished_ns=now))
        snapshot = connection.execute(select(func.max(schema.snapshot.c.id))).scalar()
        inos = itertools.count((connection.execute(select(func.max(schema.entry.c.ino))).scalar() or 1) + 1)
        seen = {}

        def add(parent, name, full):
            about = os.lstat(full)
            key = about.st_dev, about.st_ino
            ino = seen.setdefault(key, next(inos))
            row = {
                "parent": parent,
                "name": name,
                "since": snapshot,
                "ino": ino,
                "mode": about.st_mode,
                "nlink": about.st_nlink,
            }
            row |= {"uid": about.st_uid, "gid": about.st_gid, "size": 0, "mtime_ns": about.st_mtime_ns}
            row |= {"ctime_ns": about.st_ctime_ns, "src_dev": about.st_dev, "src_ino": about.st_ino}
            if stat.S_ISLNK(about.st_mode):
                row["target"] = os.readlink(full)
                row["size"] = len(row["target"])
            elif stat.S_ISREG(about.st_mode) and about.st_size:
                with open(full, "rb") as file:
                    digest = blake3(file.read()).digest()
                row["size"] = about.st_size
                row["content"] = content_id(connection, digest, about.st_size)
            connection.execute(insert(schema.entry).values(**row))
            if stat.S_ISDIR(about.st_mode):
                for inner in sorted(os.listdir(full)):
                    add(ino, inner, os.path.join(full, inner))

        add(ROOT_INO, name, path)
    return snapshot


def content_id(connection, digest, size):
    table = schema.content
    found = connection.execute(select(table.c.id).where(table.c.digest == digest)).scalar()
    if found is None:
        found = connection.execute(insert(table).values(digest=digest, size=size)).inserted_primary_key[0]
    return found


def rows(catalogue, table, *order):
    with catalogue.read() as connection:
        return connection.execute(select(table).order_by(*(order or table.primary_key))).all()
