"""The catalogue again from 100 discs of 10,000 files each; writes ``RESULTS.md`` beside itself.

``make bench``, or ``pytest tests/bench/rebuild``. ``ODARCHIVE_BENCH_DISCS`` (100) and ``ODARCHIVE_BENCH_PER_DISC``
(10,000) may be made smaller. The discs are folders with the texts that discs carry, as a mounted disc shows them; the
newest also has its files, because it is read completely: no catalogue knows yet that it was verified. Measured is our
own time, without drives and robot: looking at every disc, loading the newest catalogue, comparing every disc with it,
reading the newest, and the index of names. The goal is 60 seconds.
"""

import gzip
import json
import os
import sqlite3
import sys
import time
from pathlib import Path

from blake3 import blake3

from odarchive.catalogue import archive, plans
from odarchive.catalogue.check import check
from odarchive.image import ondisc
from odarchive.offline.disc import open_disc
from odarchive.rebuild.rebuild import rebuild, sort_out
from tests.bench import table

HERE = Path(__file__).parent
DISCS = int(os.environ.get("ODARCHIVE_BENCH_DISCS", "100"))
FILES = int(os.environ.get("ODARCHIVE_BENCH_PER_DISC", "10000"))
USUAL = (DISCS, FILES) == (100, 10_000)
IN_FOLDER = 100
SIZE = 1000
UUID = "00000000-0000-4000-8000-000000000001"
NOW = 1_700_000_000 * 10**9
GOAL = 60.0


def body(number):
    return (b"%016d" % number) * (SIZE // 16) + b"." * (SIZE % 16)


def disc_uuid(segment):
    return f"00000000-0000-4000-9000-{segment:012}"


def label(segment):
    return f"BENCH_{segment:04}"


def filled(path, digests):
    """A catalogue in which all discs but the newest are verified."""
    archive.create(path, archive.Facts(uuid=UUID, label_prefix="BENCH", created_ns=NOW)).close()
    raw = sqlite3.connect(path)
    raw.execute("INSERT INTO source (id, name, path, created_ns) VALUES (1, X'646F6373', X'2F646F6373', ?)", (NOW,))
    count = len(digests)
    raw.execute(
        "INSERT INTO snapshot (id, source, state, started_ns, finished_ns, files, bytes, new_bytes)"
        " VALUES (1, 1, 'complete', ?, ?, ?, ?, ?)",
        (NOW, NOW, count, count * SIZE, count * SIZE),
    )
    segment = (
        "INSERT INTO segment (id, label, state, media, capacity, planned_bytes, payload_bytes, created_ns, image_size,"
        " image_digest) VALUES (?, ?, ?, 'bd', 25025314816, 65536000, ?, ?, ?, ?)"
    )
    for number in range(1, DISCS + 1):
        old = number < DISCS
        image = (65_536_000, bytes(32)) if old else (None, None)
        values = (number, label(number), "archived" if old else "planned", FILES * SIZE, NOW, *image)
        raw.execute(segment, values)
        if old:
            raw.execute(
                "INSERT INTO disc (id, uuid, segment, label, state, image_size, digest, created_ns, verified_ns)"
                " VALUES (?, ?, ?, ?, 'verified', 65536000, ?, ?, ?)",
                (number, disc_uuid(number), number, label(number), bytes(31) + b"1", NOW, NOW),
            )
    contents = ((number + 1, digest, SIZE) for number, digest in enumerate(digests))
    raw.executemany("INSERT INTO content (id, digest, size) VALUES (?, ?, ?)", contents)
    raw.executemany(
        "INSERT INTO piece (content, segment, start, length, sector) VALUES (?, ?, 0, ?, ?)",
        ((n + 1, n // FILES + 1, SIZE, n % FILES + 1000 if n // FILES + 1 < DISCS else None) for n in range(count)),
    )
    entry = (
        "INSERT INTO entry (parent, name, since, ino, mode, nlink, uid, gid, size, mtime_ns, ctime_ns, src_dev,"
        " src_ino, content, carrier) VALUES (?, ?, 1, ?, ?, ?, 0, 0, ?, ?, 0, 0, 0, ?, ?)"
    )
    folders = -(-count // IN_FOLDER)
    raw.execute(entry, (1, b"docs", 2, 0o40755, 2, 0, NOW, None, 1))
    raw.executemany(entry, ((2, b"%06d" % n, n + 3, 0o40755, 2, 0, NOW, None, 1) for n in range(folders)))
    files = ((n // IN_FOLDER + 3, b"%08d.txt" % n, n + 3 + folders, n + 1) for n in range(count))
    raw.executemany(entry, ((up, name, ino, 0o100644, 1, SIZE, NOW, key, None) for up, name, ino, key in files))
    raw.execute("UPDATE counter SET value = ? WHERE name = 'ino'", (count + folders + 3,))
    raw.commit()
    raw.close()
    return archive.open_catalogue(path)


def disc(folder, segment, digests):
    """The texts of one disc; its files too if it is the newest."""
    where = folder / label(segment)
    (where / "SET").mkdir(parents=True)
    created = NOW + segment * 10**9
    info = ondisc.disc_info(
        label=label(segment), segment=segment, archive=UUID, disc=disc_uuid(segment), created_ns=created
    )
    (where / "disc_info.json").write_bytes(info)
    files = {}
    for place, number in enumerate(range((segment - 1) * FILES, segment * FILES)):
        path = f"DATA/docs/{number // IN_FOLDER:06}/{number:08}.txt"
        files[digests[number].hex()] = {
            "filenames": {f"/{path}": None},
            "mtime": "2023-11-14T22:13:20",
            "sector": place + 1000,
            "sha256": "0" * 64,
            "size": SIZE,
        }
        if segment == DISCS:
            (where / path).parent.mkdir(parents=True, exist_ok=True)
            (where / path).write_bytes(body(number))
    value = {
        "version": 3,
        "digest": "blake3",
        "iso_path_root": "/DATA",
        "client_name": "bench",
        "date": "2023-11-14T22:13:20",
        "guid": UUID,
        "job_id": segment,
        "job_name": label(segment),
        "segment_size": 25_025_314_816,
        "files": files,
    }
    (where / "catalogue.json").write_text(json.dumps(value))


def test_rebuild(tmp_path):
    digests = [blake3(body(number)).digest() for number in range(DISCS * FILES)]
    catalogue = filled(tmp_path / "old.db", digests)
    folder = tmp_path / "discs"
    for segment in range(1, DISCS + 1):
        disc(folder, segment, digests)
    with catalogue.read() as connection, gzip.open(folder / label(DISCS) / "SET/catalogue.jsonl.gz", "wb", 6) as packed:
        for line in plans.whole_catalogue(connection):
            packed.write(line)
    catalogue.close()
    began, cpu = time.perf_counter(), time.process_time()
    openers = [(str(path), lambda path=path: open_disc(path)) for path in sorted(folder.iterdir())]
    done = rebuild(tmp_path / "new.db", sort_out(openers))
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    assert (done.discs, done.names_from, done.notes) == (DISCS, label(DISCS), ())
    assert check(archive.open_catalogue(tmp_path / "new.db"), deep=False) == []
    raw = sqlite3.connect(tmp_path / "new.db")
    assert raw.execute("SELECT count(*) FROM entry WHERE shown = 1 AND content IS NOT NULL").fetchone() == (
        DISCS * FILES,
    )
    raw.close()
    text = [
        "# The catalogue again from discs",
        "",
        f"`pytest tests/bench/rebuild`, {DISCS} discs of {FILES:,} files, load {os.getloadavg()[0]:.1f}, Python",
        f"{sys.version.split()[0]}. The goal is {GOAL:.0f} s of our own time for 100 discs of 10,000 files.",
        "",
        "| wall s | CPU s | files per CPU second |",
        "| --- | --- | --- |",
        f"| {wall:.1f} | {cpu:.1f} | {DISCS * FILES / cpu:,.0f} |",
    ]
    table.tell(HERE, "\n".join(text), usual=USUAL)
    row = (f"rebuild from {DISCS} discs of {FILES:,} files", "", f"{GOAL:.0f} s of our own time", f"{cpu:.1f} CPU-s")
    table.put("rebuild", [row], "pytest tests/bench/rebuild", usual=USUAL)
