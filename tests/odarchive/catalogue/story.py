"""A random life of an archive."""

import os

from catalogue_kit import rows, run
from trees import scanned, write

from odarchive.catalogue.publish import NEXT_CATALOGUE, publish
from odarchive.model import SegmentId


class Story:
    """Random life of an archive: edits, scans, plans, burns; the flags are checked after every step."""

    def __init__(self, catalogue, source, rng):
        self.catalogue, self.source, self.rng = catalogue, source, rng
        self.segments = 0

    def edit(self):
        folder = self.source / self.rng.choice("ab") / self.rng.choice("cd")
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / self.rng.choice("efg")
        kind = self.rng.choice(["file", "file", "empty", "symlink", "remove", "chmod", "prune"])
        if kind == "prune":
            for inner in folder.iterdir():
                inner.unlink()
            folder.rmdir()
            return
        if kind == "chmod":
            folder.chmod(self.rng.choice([0o700, 0o755]))
            return
        if os.path.lexists(path):
            path.unlink()
        if kind == "file":
            write(path, b"%d" % self.rng.randrange(30))
        elif kind == "empty":
            path.touch()
        elif kind == "symlink":
            path.symlink_to("e")

    def scan(self):
        for _ in range(self.rng.randrange(5)):
            self.edit()
        scanned(self.catalogue, self.source)

    def plan(self):
        self.segments += 1
        number = self.segments
        with self.catalogue.write() as connection:
            connection.exec_driver_sql(
                "INSERT INTO segment (id, label, state, media, capacity, planned_bytes, payload_bytes, created_ns,"
                " image_size, image_digest) VALUES (?, ?, 'imaged', 'cd', 1, 1, 0, 1, 65536, zeroblob(32))",
                (number, f"S{number}"),
            )
            unplaced = connection.exec_driver_sql(
                "SELECT id, size, (SELECT coalesce(sum(length), 0) FROM piece WHERE content = content.id) AS done"
                " FROM content WHERE done < size"
            ).fetchall()
            for sector, (content, size, done) in enumerate(unplaced):
                if self.rng.random() < 0.7:
                    length = size - done if self.rng.random() < 0.5 else 1
                    connection.exec_driver_sql(
                        "INSERT INTO piece VALUES (?, ?, ?, ?, ?, NULL)", (content, number, done, length, sector)
                    )
            connection.exec_driver_sql(
                "UPDATE segment SET payload_bytes = (SELECT coalesce(sum(length), 0) FROM piece WHERE segment = ?)"
                " WHERE id = ?",
                (number, number),
            )
            carrier = self.rng.choice([0, number])
            connection.exec_driver_sql(
                "UPDATE entry SET carrier = ? WHERE content IS NULL AND carrier IS NULL AND until IS NULL", (carrier,)
            )
            publish(connection, NEXT_CATALOGUE)

    def burn(self):
        free = rows(self.catalogue, "SELECT id FROM segment WHERE id NOT IN (SELECT segment FROM disc)")
        if free:
            (number,) = self.rng.choice(free)
            with self.catalogue.write() as connection:
                connection.exec_driver_sql(
                    "INSERT INTO disc (uuid, segment, label, state, image_size, digest, created_ns, verified_ns)"
                    " VALUES (?, ?, 'L', 'verified', 65536, zeroblob(32), 1, 2)",
                    (f"u{number}", number),
                )
                publish(connection, SegmentId(number))

    def lose(self):
        run(self.catalogue, "UPDATE disc SET state = ? WHERE id % 3 = 1", self.rng.choice(["suspect", "missing"]))
