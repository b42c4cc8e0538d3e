"""README.MD of an encrypted disc. Pure."""

_TEXT = """\
# {label}

This is disc {segment} of an archive of files, made {created} UTC by odarchive. The archive's id is
{archive}.

The files on it are encrypted: without the key nobody can read them or their names. The key is one line of text that
begins with AGE-SECRET-KEY-1; whoever made the archive was told to print it and to keep it apart from the discs. If it
is lost, so is what is on the discs.

## Opening it

Each file whose name ends in .age is an ordinary file of the format "age" (age-encryption.org/v1), which several
programs read (age, rage and others; Debian has them as packages). Put the key into a file, say KEY:

    age -d -i KEY SET/entries.jsonl.age           what is on this disc: a line for every name
    age -d -i KEY DATA/0000/0000000.age > FILE    one file

A line of the first says in which .age file the bytes of a name are ("parts" or "disc"). To get all folders back with
their names, times and links, from this and the other discs:

    python3 restore.py --key KEY --to FOLDER DISC [DISC ...]

It needs Python 3 only. restore.py decrypts with unseal.py, which lies beside it and is a decryptor of its own:
python3 unseal.py KEY < FILE.age > FILE. What it does is written in there in 200 lines.

## Without the key

The disc can be checked: sha256sum -c SHA256SUMS. Two file systems lead to the same bytes: UDF, which any current system
shows, and ISO 9660, which older ones show.

## What is here

- DATA/: the encrypted files, numbered.
- SET/entries.jsonl.age: every name this disc carries with all its attributes (one JSON object per line).
- SET/catalogue.json.age: per content: BLAKE3, SHA-256, size, and the file in DATA that holds it.
- SET/catalogue.jsonl.gz.age: the catalogue of the whole archive as known when this disc was made: every name and on
  which disc it lies (gzip, one JSON object per line; absent where it does not fit).
- catalogue.json: per file in DATA, as it stands there: BLAKE3 and SHA-256, size, and the first sector on this disc, so
  that its bytes can be read at sector x 2048 even if the file systems are damaged.
- SHA256SUMS: SHA-256 of every file.
- disc_info.json: who this disc is.

A file larger than a disc lies in parts on several discs; the lines in entries.jsonl.age say where each part begins.
"""


def readme_sealed(label: str, segment: int, archive: str, created: str) -> bytes:
    """The disc in plain words."""
    return _TEXT.format(label=label, segment=segment, archive=archive, created=created).encode()
