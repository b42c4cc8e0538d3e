"""How large an age file is; so an image of encrypted files is laid out before a byte is read. Arithmetic."""

CHUNK = 1 << 16
TAG = 16
NONCE = 16
_VERSION, _STANZA, _MAC = 22, 98, 48
"""Bytes of the header's lines; a stanza of type X25519 always has the same size."""
LONGEST_HEADER = 1 << 16
"""Headers of others may be longer than ours; nobody's is longer than this."""


def head_size(recipients: int) -> int:
    """Bytes before the first chunk: header and nonce."""
    return _VERSION + _STANZA * recipients + _MAC + NONCE


def sealed_size(length: int, recipients: int) -> int:
    """Bytes of the age file of ``length`` bytes."""
    return head_size(recipients) + length + TAG * max(1, -(-length // CHUNK))


def chunk_place(number: int, head: int) -> int:
    """Where in the file a chunk begins."""
    return head + number * (CHUNK + TAG)


def per_file(recipients: int) -> int:
    """What every file costs at most beside its bytes and the share of `room`."""
    return head_size(recipients) + 2 * TAG


def room(usable: int) -> int:
    """How many of ``usable`` bytes are left for what is encrypted, as every chunk has a tag."""
    return usable * (CHUNK // TAG) // (CHUNK // TAG + 1)
