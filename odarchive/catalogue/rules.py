"""The questions of ``check``: each selects what breaks one rule. Rows named as a person should read them.

Pure text; no rule changes anything. ``(mode & 61440)`` is S_IFMT: 16384 a directory, 32768 a file, 40960 a symlink.
"""
# ruff: noqa: S608 - statements are put together from constants of this package; no values

from dataclasses import dataclass
from enum import StrEnum

from odarchive.catalogue.entries import COMPLETE, CURRENT
from odarchive.catalogue.runs import DIRECTORY, STRAY
from odarchive.catalogue.shown import PROVEN
from odarchive.model import SECTOR, DiscState, JobKind, JobState, SegmentState, SlotState, SnapshotState


@dataclass(frozen=True, slots=True)
class Rule:
    """``question`` selects the violations; ``meaning`` says what should be."""

    name: str
    meaning: str
    question: str


def _known(table: str, column: str, values: type[StrEnum]) -> Rule:
    names = ", ".join(f"'{value}'" for value in values)
    question = f"SELECT rowid AS {table}, {column} AS is_called FROM {table} WHERE {column} NOT IN ({names})"
    return Rule("state", f"no such {column}", question)


_KIND = "(mode & 61440)"

_CONTENTS = (
    Rule(
        "content",
        "a content has bytes and a digest of 32",
        "SELECT id AS content, size FROM content WHERE size <= 0 OR length(digest) <> 32",
    ),
    Rule(
        "content-once",
        "a digest is of one content",
        "SELECT min(id) AS content, count(*) AS times FROM content GROUP BY digest HAVING count(*) > 1",
    ),
)

_ENTRIES = (
    Rule(
        "root",
        "there is one root, built in and always shown",
        "SELECT count(*) AS roots FROM entry WHERE parent = 0 HAVING count(*) <> 1"
        " OR sum(name = X'' AND since = 0 AND until IS NULL AND ino = 1 AND shown = 1) <> 1",
    ),
    Rule(
        "entry-form",
        "files with bytes have a content, symlinks a target, directories neither, and names are one component",
        f"SELECT parent, name, since FROM entry WHERE {_KIND} NOT IN (16384, 32768, 40960)"
        f" OR (content IS NOT NULL) <> ({_KIND} = 32768 AND size > 0) OR (target IS NOT NULL) <> ({_KIND} = 40960)"
        f" OR ({_KIND} = 16384 AND (size <> 0 OR nlink <> 2)) OR nlink < 1 OR size < 0"
        " OR (parent <> 0 AND (name IN (X'', X'2E', X'2E2E') OR instr(name, X'2F') OR instr(name, X'00')))",
    ),
    Rule(
        "entry-size",
        "an entry is as large as its content",
        "SELECT parent, name, since FROM entry JOIN content ON content.id = entry.content"
        " WHERE entry.size <> content.size",
    ),
    Rule(
        "entry-parent",
        "an entry begins in a directory that is there",
        "SELECT parent, name, since FROM entry WHERE parent <> 0 AND NOT EXISTS (SELECT 1 FROM entry AS folder"
        f" WHERE folder.ino = entry.parent AND folder.{DIRECTORY} AND (folder.mode & 61440) = 16384"
        " AND folder.since <= entry.since AND (folder.until IS NULL OR folder.until > entry.since))",
    ),
    Rule(
        "entry-orphan",
        "a present entry lies in a present directory",
        f"SELECT parent, name, since FROM entry WHERE parent <> 0 AND {CURRENT}"
        f" AND parent NOT IN (SELECT ino FROM entry WHERE {_KIND} = 16384 AND {CURRENT})",
    ),
    Rule(
        "entry-versions",
        "versions of a name follow one another without overlap",
        "SELECT parent, name, since FROM (SELECT parent, name, since, until,"
        " lead(since) OVER (PARTITION BY parent, name ORDER BY since) AS following FROM entry)"
        " WHERE until <= since OR (following IS NOT NULL AND (until IS NULL OR until > following))",
    ),
    Rule(
        "entry-current",
        "a name has one present version at most",
        f"SELECT parent, name, count(*) AS versions FROM entry WHERE {CURRENT} GROUP BY parent, name"
        " HAVING count(*) > 1",
    ),
    Rule(
        "entry-shown-once",
        "a name has one version at most in the mount",
        "SELECT parent, name, count(*) AS versions FROM entry WHERE shown <> 0 GROUP BY parent, name"
        " HAVING count(*) > 1 OR max(shown) <> 1",
    ),
    Rule(
        "ino",
        "an inode number stands for one content, or one target, or one directory, for ever",
        f"SELECT ino FROM entry WHERE {COMPLETE} GROUP BY ino HAVING min({_KIND}) <> max({_KIND})"
        " OR min(coalesce(content, 0)) <> max(coalesce(content, 0))"
        " OR min(coalesce(target, X'')) <> max(coalesce(target, X''))"
        f" OR (max({_KIND}) = 16384 AND (min(parent) <> max(parent) OR min(name) <> max(name)))",
    ),
    Rule(
        "run",
        "a name is found by its inode number",
        f"SELECT parent, name, since, ino FROM entry WHERE {STRAY}",
    ),
    Rule(
        "hard-links",
        "the names of an inode are as many as each of them says",
        f"SELECT ino, count(*) AS names, max(nlink) AS nlink FROM entry WHERE {_KIND} <> 16384 AND {CURRENT}"
        " GROUP BY ino HAVING min(nlink) <> count(*) OR max(nlink) <> count(*)",
    ),
    Rule(
        "ino-counter",
        "inode and content numbers in use lie below the next one",
        "SELECT max(ino) AS ino FROM (SELECT max(ino) AS ino FROM entry UNION ALL SELECT max(id) FROM content)"
        " HAVING max(ino) >= coalesce((SELECT value FROM counter WHERE name = 'ino'), 0)",
    ),
)

_SNAPSHOTS = (
    _known("snapshot", "state", SnapshotState),
    Rule(
        "snapshot-finish",
        "exactly the complete snapshots have an end",
        "SELECT id AS snapshot, state FROM snapshot WHERE (state = 'complete') <> (finished_ns IS NOT NULL)",
    ),
    Rule(
        "snapshot-single",
        "a source has one unfinished snapshot at most, its last",
        "SELECT source, id AS snapshot FROM snapshot AS one WHERE state <> 'complete'"
        " AND EXISTS (SELECT 1 FROM snapshot AS other WHERE other.source = one.source AND other.id > one.id)",
    ),
    Rule(
        "snapshot-problems",
        "a complete snapshot counts its problems",
        "SELECT id AS snapshot, problems FROM snapshot WHERE state = 'complete'"
        " AND problems <> (SELECT count(*) FROM problem WHERE problem.snapshot = snapshot.id)",
    ),
    Rule(
        "snapshot-counts",
        "the last complete snapshot of a source counts its files and bytes",
        "SELECT last.id AS snapshot, last.files AS files, last.bytes AS bytes FROM snapshot AS last"
        " LEFT JOIN (SELECT snapshot.source AS source, count(*) AS files, sum(size) AS size FROM entry"
        f" JOIN snapshot ON snapshot.id = entry.since WHERE {_KIND} = 32768 AND {CURRENT} GROUP BY snapshot.source)"
        " AS seen ON seen.source = last.source WHERE last.id IN (SELECT max(id) FROM snapshot"
        " WHERE state = 'complete' GROUP BY source)"
        " AND (last.files <> coalesce(seen.files, 0) OR last.bytes <> coalesce(seen.size, 0))",
    ),
)

_PLANS = (
    _known("segment", "state", SegmentState),
    Rule(
        "piece-range",
        "a piece lies within its content",
        "SELECT content, segment, start, length FROM piece JOIN content ON content.id = piece.content"
        " WHERE start < 0 OR length <= 0 OR start + length > content.size",
    ),
    Rule(
        "piece-once",
        "no byte of a content is planned twice",
        "SELECT content, segment, start FROM (SELECT content, segment, start,"
        " max(start + length) OVER (PARTITION BY content ORDER BY start, segment"
        " ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reach FROM piece) WHERE start < reach",
    ),
    Rule(
        "piece-place",
        "a piece lies within the image",
        f"SELECT content, segment, start, sector FROM piece JOIN segment ON segment.id = piece.segment"
        f" WHERE sector < 0 OR sector * {SECTOR} + length > image_size",
    ),
    Rule(
        "piece-overlap",
        "pieces of a segment lie beside each other",
        "SELECT segment, sector FROM (SELECT segment, sector, length,"
        " lead(sector) OVER (PARTITION BY segment ORDER BY sector, content) AS following FROM piece"
        " WHERE sector IS NOT NULL)"
        f" WHERE sector + (length + {SECTOR - 1}) / {SECTOR} > following",
    ),
    Rule(
        "segment-payload",
        "a segment's payload is the sum of its pieces",
        "SELECT id AS segment, payload_bytes FROM segment WHERE payload_bytes <>"
        " (SELECT coalesce(sum(length), 0) FROM piece WHERE piece.segment = segment.id)",
    ),
    Rule(
        "segment-image",
        "exactly segments past planning have an image (whole 64 KiB) and know the sector of every piece",
        "SELECT id AS segment, state FROM segment WHERE (state <> 'planned') <> (image_size IS NOT NULL)"
        " OR (image_size IS NULL) <> (image_digest IS NULL) OR image_size % 65536 <> 0 OR EXISTS (SELECT 1 FROM piece"
        " WHERE piece.segment = segment.id AND (sector IS NULL) <> (segment.state = 'planned'))",
    ),
    Rule(
        "segment-archived",
        "an archived segment has a disc that was verified",
        f"SELECT id AS segment FROM segment WHERE state = 'archived' AND id NOT IN {PROVEN}",
    ),
    Rule(
        "entry-carrier",
        "entries without content are carried by a segment or by the next catalogue",
        "SELECT parent, name, since, carrier FROM entry WHERE carrier IS NOT NULL AND (content IS NOT NULL"
        " OR (carrier <> 0 AND carrier NOT IN (SELECT id FROM segment)))",
    ),
)

_MACHINE = (
    _known("disc", "state", DiscState),
    _known("slot", "state", SlotState),
    _known("job", "state", JobState),
    _known("job", "kind", JobKind),
    Rule(
        "disc-verified",
        "a disc that counts or counted as a copy says when it was verified, and its segment has an image of its size",
        "SELECT disc.id AS disc, disc.state AS state FROM disc JOIN segment ON segment.id = disc.segment"
        " WHERE disc.state IN ('verified', 'suspect', 'missing') AND (verified_ns IS NULL"
        " OR segment.state = 'planned' OR disc.image_size IS NOT coalesce(segment.ecc_size, segment.image_size))",
    ),
    Rule(
        "disc-digest",
        "a burn attempt knows the digest to expect",
        "SELECT id AS disc FROM disc WHERE length(digest) <> 32 OR image_size <= 0",
    ),
    Rule(
        "slot-disc",
        "slots that hold one of our discs say which, unknown ones may name the attempt that goes on, no others do",
        "SELECT number AS slot, state FROM slot WHERE (state IN ('disc', 'stale') AND disc IS NULL)"
        " OR (state NOT IN ('disc', 'stale', 'spoiled', 'unknown') AND disc IS NOT NULL)",
    ),
    Rule(
        "slot-once",
        "a disc is in one slot at most",
        "SELECT disc, count(*) AS slots FROM slot WHERE disc IS NOT NULL GROUP BY disc HAVING count(*) > 1",
    ),
    Rule(
        "job-form",
        "a burn names a segment, a recall a content, a verification a disc, and what waits says why",
        "SELECT id AS job, kind, state FROM job WHERE (kind = 'burn' AND segment IS NULL)"
        " OR (kind = 'recall' AND content IS NULL) OR (kind = 'verify' AND disc IS NULL) OR attempts < 0"
        " OR (state = 'waiting' AND why = '')",
    ),
    Rule(
        "motion-form",
        "a motion with an outcome says when it was settled, one without is open",
        "SELECT id AS motion, outcome FROM motion WHERE (outcome IS NULL) <> (settled_ns IS NULL)"
        " OR outcome NOT IN ('done', 'failed', 'unknown')",
    ),
    Rule(
        "motion-open",
        "an arm makes one motion at a time, so only the last one can be open",
        "SELECT id AS motion FROM motion WHERE outcome IS NULL AND id < (SELECT max(id) FROM motion)",
    ),
)

RULES: tuple[Rule, ...] = (*_CONTENTS, *_ENTRIES, *_SNAPSHOTS, *_PLANS, *_MACHINE)
