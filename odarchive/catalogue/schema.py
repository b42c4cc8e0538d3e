"""The catalogue's tables; every column says what it means. The only statement of the schema.

Contents and entries never change once recorded, except that an entry is *closed* (``until``) and shown or hidden
(``shown``); new facts are new rows. ``odarchive.catalogue.check`` states the invariants as code. Migrations under
``migrations/`` lead an older file here, and a test proves that they end in exactly this schema.

Units: bytes; ``*_ns`` are nanoseconds since the epoch (signed 64 bit); sectors are 2,048 bytes. Names are BLOBs: what
the file system gave, without encoding.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

metadata = MetaData()

BigId = BigInteger().with_variant(Integer, "sqlite")
"""64-bit key; SQLite wants the plain word INTEGER for a rowid alias."""

archive = Table(
    "archive",
    metadata,
    Column("key", Text, primary_key=True, comment="fact: uuid, label_prefix, created_ns, ..."),
    Column("value", Text, nullable=False, comment="its value as text"),
    comment="facts about the whole archive",
)

source = Table(
    "source",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("name", LargeBinary, nullable=False, unique=True, comment="its directory's name at the mount's root"),
    Column("path", LargeBinary, nullable=False, comment="absolute path it was last scanned from"),
    Column("created_ns", BigInteger, nullable=False),
    comment="trees that are archived",
)

snapshot = Table(
    "snapshot",
    metadata,
    Column("id", BigId, primary_key=True, comment="ascending in time over all sources"),
    Column("source", BigId, ForeignKey("source.id"), nullable=False),
    Column("state", Text, nullable=False, comment="SnapshotState"),
    Column("started_ns", BigInteger, nullable=False),
    Column("finished_ns", BigInteger, comment="NULL while running or aborted"),
    Column("files", BigInteger, nullable=False, server_default="0", comment="regular files seen"),
    Column("bytes", BigInteger, nullable=False, server_default="0", comment="their sizes added up"),
    Column("new_bytes", BigInteger, nullable=False, server_default="0", comment="bytes of contents first seen here"),
    Column("problems", BigInteger, nullable=False, server_default="0", comment="rows in `problem`"),
    Column("forgotten_ns", BigInteger, comment="since when nobody wants to see it any more; NULL: it is listed"),
    comment="one scan of one source",
)

problem = Table(
    "problem",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("snapshot", BigId, ForeignKey("snapshot.id"), nullable=False, index=True),
    Column("path", LargeBinary, nullable=False, comment="relative to the source"),
    Column("reason", Text, nullable=False, comment="one line: why it was skipped or is doubtful"),
    comment="what a scan could not archive",
)

content = Table(
    "content",
    metadata,
    Column(
        "id",
        BigId,
        primary_key=True,
        comment="from `counter.ino`, as inode numbers are: that of the inode that brought it, where there is one",
    ),
    Column("digest", LargeBinary, nullable=False, comment="BLAKE3, 32 bytes, of all its bytes; of one content only"),
    Column("size", BigInteger, nullable=False, comment="> 0: empty files have no content"),
    Index("content_digest", text("substr(digest, 1, 4)")),
    comment="unique bytes",
)

entry = Table(
    "entry",
    metadata,
    Column("parent", BigId, primary_key=True, autoincrement=False, comment="ino of the directory; 0 for the root"),
    Column("name", LargeBinary, primary_key=True, comment="one component, never empty except for the root"),
    Column("since", BigId, primary_key=True, autoincrement=False, comment="snapshot in which it appeared; 0: built in"),
    Column(
        "until",
        BigId,
        comment="first snapshot in which it was gone or different; NULL: still there. Like `since` it counts only once "
        "that snapshot is complete: a scan ends by changing one word in `snapshot`, and a broken one shows nothing",
    ),
    Column(
        "ino",
        BigId,
        nullable=False,
        comment="inode number in the mount; equal on hard links; a new content gets a new one; never reused",
    ),
    Column("mode", Integer, nullable=False, comment="st_mode: type and permissions"),
    Column("nlink", Integer, nullable=False, comment="names this inode has inside its source, >= 1 (directories: 2)"),
    Column("uid", BigInteger, nullable=False),
    Column("gid", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False, comment="st_size; files: bytes, symlinks: length of target, dirs: 0"),
    Column("mtime_ns", BigInteger, nullable=False),
    Column(
        "ctime_ns",
        BigInteger,
        nullable=False,
        comment="of the source; tells the next scan whether to hash again. A hint, with the next two: refreshed in "
        "place when nothing else differs",
    ),
    Column("src_dev", BigInteger, nullable=False, comment="st_dev of the source; joins hard links"),
    Column(
        "src_ino",
        BigInteger,
        nullable=False,
        comment="st_ino of the source as signed 64 bit; 0: read so soon after a change that the next scan reads again",
    ),
    Column("content", BigId, ForeignKey("content.id"), comment="files with size > 0 only"),
    Column("target", LargeBinary, comment="symlinks only"),
    Column(
        "carrier",
        BigId,
        comment="entries without content: segment whose disc carries them; 0: rides with the next catalogue; "
        "NULL: not planned yet",
    ),
    Column(
        "shown",
        Integer,
        nullable=False,
        server_default="0",
        comment="1: this version is in the mount. Derived (publish), stored so that lookups need one probe",
    ),
    Column("xattrs", LargeBinary, comment="key in `xattrs`; NULL: it has no extended attributes, ACLs included"),
    Column(
        "apart",
        Integer,
        nullable=False,
        server_default="1",
        comment="1: found by its `ino` through `entry_apart`; 0: through `run`, never directories (`catalogue.runs`)",
    ),
    Index("entry_apart", "ino", sqlite_where=text("apart = 1")),
    Index("entry_content", "content", sqlite_where=text("content <> ino")),
    Index("entry_carrier", "carrier", sqlite_where=text("content IS NULL")),
    sqlite_with_rowid=False,
    comment="names in trees, each valid for a range of snapshots of its source",
)

run = Table(
    "run",
    metadata,
    Column("first", BigId, primary_key=True, autoincrement=False, comment="ino; the run ends where the next begins"),
    Column("folder", BigId, nullable=False, comment="`parent` of all its entries"),
    Column("low", LargeBinary, nullable=False, comment="their first name in byte order"),
    Column("high", LargeBinary, nullable=False, comment="their last one"),
    comment="where the entries of a row of inode numbers are: an index of `ino` in brief, made from `entry` alone",
)

xattrs = Table(
    "xattrs",
    metadata,
    Column("key", LargeBinary, primary_key=True, comment="first 16 bytes of the BLAKE3 of `data`"),
    Column(
        "data",
        LargeBinary,
        nullable=False,
        comment="by name: length of name (2 bytes), of value (4), name, value; big-endian. ACLs are attributes too",
    ),
    sqlite_with_rowid=False,
    comment="sets of extended attributes; most files that have any share a few sets",
)

holes = Table(
    "holes",
    metadata,
    Column("content", BigId, ForeignKey("content.id"), primary_key=True, autoincrement=False),
    Column(
        "data",
        LargeBinary,
        nullable=False,
        comment="(start, length) of each hole, 8 bytes each, big-endian, ascending; all of them read as zeros",
    ),
    comment="contents that were sparse in their source when they were first read",
)

forgotten = Table(
    "forgotten",
    metadata,
    Column("source", BigId, ForeignKey("source.id"), primary_key=True, autoincrement=False),
    Column("path", LargeBinary, primary_key=True, comment="relative to the source; scans leave it out"),
    Column("at_ns", BigInteger, nullable=False),
    sqlite_with_rowid=False,
    comment="names that are hidden although their source may have them",
)

name_alias = Table(
    "name_alias",
    metadata,
    Column("id", BigId, primary_key=True, comment="`name_words` knows this name by -id"),
    Column("ino", BigId, nullable=False, comment="the inode it is a name of"),
    comment="names of inodes that have, or had, several",
)

content_alias = Table(
    "content_alias",
    metadata,
    Column("algorithm", Text, primary_key=True, comment="sha1, sha256 or sha512"),
    Column("digest", LargeBinary, primary_key=True),
    Column("content", BigId, ForeignKey("content.id"), nullable=False, index=True),
    Column(
        "unread",
        Integer,
        nullable=False,
        comment="1: nobody has read its bytes here, so `content.digest` only stands in for the BLAKE3 (`foreign`)",
    ),
    sqlite_with_rowid=False,
    comment="other digests of contents, as catalogues of other programs tell them",
)

foreign_disc = Table(
    "foreign_disc",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("label", Text, nullable=False, comment="what people call it"),
    Column("origin", Text, nullable=False, comment="file it is known from"),
    Column("imported_ns", BigInteger, nullable=False),
    comment="discs made by other programs; the robot cannot serve them, people can",
)

foreign_place = Table(
    "foreign_place",
    metadata,
    Column("content", BigId, ForeignKey("content.id"), primary_key=True, autoincrement=False),
    Column("disc", BigId, ForeignKey("foreign_disc.id"), primary_key=True, autoincrement=False),
    Column("path", LargeBinary, nullable=False, comment="on the disc"),
    Column("checked_ns", BigInteger, comment="when the bytes were read there and were right; NULL: never"),
    sqlite_with_rowid=False,
    comment="contents on discs made by other programs",
)

WORDS = "name_words"
"""The full-text index of names: rowid is the inode number (or the negative ``name_alias.id``), the text is the name.

No table of this metadata, because SQLAlchemy knows no virtual tables: made by migration 0003. Append-only: it keeps
names that are gone, as the history does; what it finds is looked up in ``entry`` before it is believed.
"""

segment = Table(
    "segment",
    metadata,
    Column("id", BigId, primary_key=True, comment="also the number people use"),
    Column("label", Text, nullable=False, unique=True, comment="volume label of its first copy, <= 32 characters"),
    Column("state", Text, nullable=False, comment="SegmentState"),
    Column("media", Text, nullable=False, comment="what it was planned for: bd, dvd, ... or bytes as text"),
    Column("capacity", BigInteger, nullable=False, comment="bytes of that medium"),
    Column("planned_bytes", BigInteger, nullable=False, comment="image size the plan expects"),
    Column("payload_bytes", BigInteger, nullable=False, comment="sum of its pieces' lengths"),
    Column("created_ns", BigInteger, nullable=False),
    Column("image_size", BigInteger, comment="bytes, multiple of 65,536; NULL until imaged"),
    Column("image_digest", LargeBinary, comment="BLAKE3 of the image as built, before any stamp; NULL until imaged"),
    Column("seal", LargeBinary, comment="secret the keys of an encrypted image are drawn from; NULL when archived"),
    Column("copies", Integer, comment="verified discs wanted; NULL: as many as archive.toml says"),
    Column("places", Integer, comment="places these are to lie in, the robot being one; NULL: it does not matter"),
    Column(
        "ecc_size",
        BigInteger,
        comment="bytes of its discs with error correction (RS03) behind the image; NULL: they carry none",
    ),
    comment="plans for one disc each",
)

parity_set = Table(
    "parity_set",
    metadata,
    Column("id", BigId, primary_key=True, comment="also the number people use"),
    Column("uuid", Text, nullable=False, unique=True, comment="as its parity discs tell it"),
    Column("data", Integer, nullable=False, comment="data discs it is for; fewer when it was closed before"),
    Column("parity", Integer, nullable=False, comment="parity discs"),
    Column("capacity", BigInteger, nullable=False, comment="bytes of the medium of all its discs"),
    Column("created_ns", BigInteger, nullable=False),
    Column("closed_ns", BigInteger, comment="since when it takes no more data discs; NULL: until it is full"),
    comment="sets of discs any few of which may be lost",
)

parity_member = Table(
    "parity_member",
    metadata,
    Column("segment", BigId, ForeignKey("segment.id"), primary_key=True, autoincrement=False),
    Column("parity_set", BigId, ForeignKey("parity_set.id"), nullable=False, index=True),
    Column("kind", Text, nullable=False, comment="data or parity"),
    sqlite_with_rowid=False,
    comment="which segments belong to a set",
)

piece = Table(
    "piece",
    metadata,
    Column("content", BigId, ForeignKey("content.id"), primary_key=True, autoincrement=False),
    Column("segment", BigId, ForeignKey("segment.id"), primary_key=True, autoincrement=False),
    Column("start", BigInteger, primary_key=True, autoincrement=False, comment="offset of the range in the content"),
    Column("length", BigInteger, nullable=False, comment="bytes, > 0"),
    Column("sector", BigInteger, comment="first sector on every disc of the segment; NULL until imaged"),
    Column("stored_digest", LargeBinary, comment="BLAKE3 of the age file that stands there; NULL if not encrypted"),
    Index("piece_segment", "segment"),
    sqlite_with_rowid=False,
    comment="ranges of contents placed on segments",
)

chunks = Table(
    "chunks",
    metadata,
    Column("content", BigId, ForeignKey("content.id"), primary_key=True, autoincrement=False),
    Column("start", BigInteger, primary_key=True, autoincrement=False, comment="offset of the range in the content"),
    Column("length", BigInteger, primary_key=True, autoincrement=False, comment="bytes of the range"),
    Column(
        "digests",
        LargeBinary,
        nullable=False,
        comment="first 16 bytes of the BLAKE3 of each MiB of the range, joined (`odarchive.chunks`)",
    ),
    sqlite_with_rowid=False,
    comment="what checks a part of a content alone; made with the first image that carries it, so older ones have "
    "none, and neither have contents of at most 1 MiB",
)

disc = Table(
    "disc",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("uuid", Text, nullable=False, unique=True, comment="written on the disc; fresh for every burn attempt"),
    Column("segment", BigId, ForeignKey("segment.id"), nullable=False, index=True),
    Column("label", Text, nullable=False, comment="volume label it carries"),
    Column("state", Text, nullable=False, comment="DiscState"),
    Column("image_size", BigInteger, nullable=False, comment="bytes to read back"),
    Column("digest", LargeBinary, nullable=False, comment="BLAKE3 of the whole image with this disc's stamp"),
    Column(
        "profile", Text, nullable=False, server_default="", comment="kind of medium and maker, as the drive reported"
    ),
    Column("created_ns", BigInteger, nullable=False),
    Column("burned_ns", BigInteger),
    Column("verified_ns", BigInteger, comment="when it last read back right"),
    Column("drive", Integer, comment="drive that burned it"),
    Column("note", Text, nullable=False, server_default="", comment="why it is spoiled, suspect, ..."),
    comment="burn attempts; the verified ones are the copies",
)

slot = Table(
    "slot",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False, comment="storage slot of the robot, from 1"),
    Column("state", Text, nullable=False, comment="SlotState"),
    Column("disc", BigId, ForeignKey("disc.id"), comment="which disc, for states disc, stale, spoiled if known"),
    Column("seen_ns", BigInteger, nullable=False, comment="when the evidence was taken"),
    Column("evidence", Text, nullable=False, server_default="", comment="what says so"),
    Column("maker", Text, nullable=False, server_default="", comment="of its blank, as a drive told it"),
    Column("capacity", BigInteger, comment="bytes of its blank, as a drive told it"),
    comment="what is believed of each slot",
)

station = Table(
    "station",
    metadata,
    Column("element", Text, primary_key=True, comment="`drive 0`, `picker 0`, ..."),
    Column("state", Text, nullable=False, comment="empty, full or unknown"),
    Column("home", Integer, comment="slot its disc came from"),
    Column("seen_ns", BigInteger, nullable=False),
    comment="what is believed of the places that are not slots",
)

motion = Table(
    "motion",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("source", Text, nullable=False, comment="element, such as `slot 12`"),
    Column("destination", Text, nullable=False),
    Column("intended_ns", BigInteger, nullable=False),
    Column("outcome", Text, comment="NULL: open; done, failed, unknown"),
    Column("settled_ns", BigInteger),
    Column("evidence", Text, nullable=False, server_default=""),
    Index("motion_open", "id", sqlite_where=text("outcome IS NULL")),
    comment="journal of arm movements: intent before, outcome after",
)

machine = Table(
    "machine",
    metadata,
    Column("key", Text, primary_key=True, comment="epoch: the machine's own, last seen; queue: paused or running"),
    Column("value", Text, nullable=False),
    comment="what is remembered of the robot as a whole and of the operator's wishes",
)

drive = Table(
    "drive",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False, comment="from 0"),
    Column("why", Text, nullable=False, server_default="", comment="why it is out of service; empty: in service"),
    Column("failures", Integer, nullable=False, server_default="0", comment="failures in a row"),
    Column("burns", Integer, nullable=False, server_default="0", comment="burns ended in it"),
    Column("spoiled", Integer, nullable=False, server_default="0", comment="of these, how many spoiled their disc"),
    comment="how each drive has done; only drives something is known of",
)

whereabouts = Table(
    "whereabouts",
    metadata,
    Column("disc", BigId, ForeignKey("disc.id"), primary_key=True, autoincrement=False),
    Column("place", Text, nullable=False, comment="shelf, box or address, in a person's words"),
    Column("since_ns", BigInteger, nullable=False),
    comment="discs that are outside of the robot, where somebody said that they are; a disc in a slot has no row",
)

job = Table(
    "job",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("kind", Text, nullable=False, comment="JobKind"),
    Column("state", Text, nullable=False, comment="JobState"),
    Column("segment", BigId, ForeignKey("segment.id"), comment="burn: what to burn"),
    Column("content", BigId, ForeignKey("content.id"), comment="recall: what to bring"),
    Column("disc", BigId, ForeignKey("disc.id"), comment="verify: which disc"),
    Column("sample", Integer, comment="verify: percent of its bytes to read; NULL: all"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("done_bytes", BigInteger, nullable=False, server_default="0", comment="progress of the present step"),
    Column("total_bytes", BigInteger, nullable=False, server_default="0"),
    Column("step", Text, nullable=False, server_default="", comment="what is being done right now"),
    Column("why", Text, nullable=False, server_default="", comment="why it waits or failed, and what would help"),
    Column("created_ns", BigInteger, nullable=False),
    Column("updated_ns", BigInteger, nullable=False),
    Index("job_state", "state", "kind", "id"),
    comment="what the librarian has to do",
)

fixity = Table(
    "fixity",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("disc", BigId, ForeignKey("disc.id"), nullable=False),
    Column("at_ns", BigInteger, nullable=False, comment="when it ended"),
    Column("drive", Integer, comment="drive that read it; NULL: not a drive of the robot"),
    Column("sample", Integer, comment="percent of its bytes asked for; NULL: all"),
    Column("outcome", Text, nullable=False, comment="fixity.Outcome"),
    Column("bytes", BigInteger, nullable=False, comment="bytes that came"),
    Column("elapsed_ns", BigInteger, nullable=False),
    Column("retries", Integer, nullable=False, comment="sectors that came at the second try only"),
    Column("unreadable", BigInteger, nullable=False, comment="sectors that did not come"),
    Column("damaged", Integer, nullable=False, comment="contents with an unreadable or wrong byte"),
    Column("note", Text, nullable=False, server_default="", comment="what is wrong, in words"),
    Index("fixity_disc", "disc", "id"),
    comment="verifications of discs after the first one: the trend of each",
)

event = Table(
    "event",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("at_ns", BigInteger, nullable=False),
    Column("kind", Text, nullable=False, comment="burned, verified, verify-failed, spoiled, recalled, robot, ..."),
    Column("disc", BigId, ForeignKey("disc.id")),
    Column("job", BigId),
    Column("message", Text, nullable=False, comment="one line for a person"),
    comment="what happened, for the log and for fixity reports",
)

counter = Table(
    "counter",
    metadata,
    Column("name", Text, primary_key=True, comment="`ino`: next inode number"),
    Column("value", BigInteger, nullable=False),
    comment="numbers that are handed out and never reused",
)

__all__ = [
    "WORDS",
    "archive",
    "chunks",
    "content",
    "content_alias",
    "counter",
    "disc",
    "drive",
    "entry",
    "event",
    "fixity",
    "foreign_disc",
    "foreign_place",
    "forgotten",
    "holes",
    "job",
    "machine",
    "metadata",
    "motion",
    "name_alias",
    "parity_member",
    "parity_set",
    "piece",
    "problem",
    "run",
    "segment",
    "slot",
    "snapshot",
    "source",
    "station",
    "whereabouts",
    "xattrs",
]
