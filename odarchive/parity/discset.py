"""A set of discs as its parity discs describe it: ``PARITY/1-set.json`` and the checksums of every block."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from odarchive.errors import DamageFound
from odarchive.parity.layout import CHECK, Layout

FORMAT = "odarchive parity set"
_CODE = (
    "Cauchy Reed-Solomon over GF(2^8), polynomial 0x11d: parity[row] = sum of c[row][i] x data[i], where "
    "c[row][i] = e[row][i] / e[row][0], e[row][i] = d[row][i] / d[0][i], d[row][i] = 1 / (row ^ (parity + i)). "
    "A block is eight packets of equal length; bit r of the field elements lies in packet r. Blocks are counted so "
    "that the last one of every disc is length - 1; block b of disc i is in stripe (b + i x length / discs) mod "
    "length. The checksums: for each disc, for each block from 0, the first 8 bytes of its BLAKE3; zeros before a "
    "disc begins."
)


@dataclass(frozen=True, slots=True)
class Member:
    """A disc of the set. ``digest``: BLAKE3 of a data disc's image; parity discs have none (they carry this text)."""

    label: str
    segment: int
    size: int
    digest: bytes | None = None


@dataclass(frozen=True, slots=True)
class DiscSet:
    """Members in the order of the stripes: data discs, then parity discs. ``size`` of parity discs: of the payload."""

    archive: str
    uuid: str
    layout: Layout
    members: tuple[Member, ...]
    created_ns: int = 0
    payload: int = 0
    """Where the payload begins on every parity disc, in bytes."""
    checks: bytes = bytes(32)
    """BLAKE3 of the checksums."""

    def to_json(self) -> bytes:
        """The text for the discs."""
        value = {
            "format": FORMAT,
            "version": 1,
            "archive": self.archive,
            "set": self.uuid,
            "data": self.layout.data,
            "parity": self.layout.parity,
            "block": self.layout.block,
            "length": self.layout.length,
            "created_ns": self.created_ns,
            "payload": self.payload,
            "checksums_blake3": self.checks.hex(),
            "code": _CODE,
            "discs": [
                {
                    "label": one.label,
                    "segment": one.segment,
                    "size": one.size,
                    **({} if one.digest is None else {"blake3": one.digest.hex()}),
                }
                for one in self.members
            ],
        }
        return json.dumps(value, indent=1).encode() + b"\n"

    def checks_size(self) -> int:
        """Bytes of the checksums."""
        return self.layout.discs * self.layout.length * CHECK


def parse(text: bytes) -> DiscSet:
    """Read ``set.json``.

    Raises:
        DamageFound: it is none.
    """
    try:
        value = json.loads(text)
        if value["format"] != FORMAT or value["version"] != 1:
            raise DamageFound("this describes no parity set, or one of a version that is not known")
        numbers = [_number(value, key) for key in ("data", "parity", "block", "length")]
        layout = Layout(*numbers)
        members = tuple(_member(one) for one in value["discs"])
        if len(members) != layout.discs or layout.discs > 256:
            raise DamageFound("the description of the parity set names another number of discs than it has")
        if any(one.size > layout.length * layout.block for one in members):
            raise DamageFound("a disc of the parity set is longer than the set")
        return DiscSet(
            archive=str(value["archive"]),
            uuid=str(value["set"]),
            layout=layout,
            members=members,
            created_ns=_number(value, "created_ns", most=2**63),
            payload=_number(value, "payload"),
            checks=bytes.fromhex(value["checksums_blake3"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamageFound(f"the description of the parity set is broken: {error}") from None


def _member(value: Mapping[str, Any]) -> Member:
    digest = value.get("blake3")
    return Member(
        str(value["label"]),
        _number(value, "segment"),
        _number(value, "size"),
        None if digest is None else bytes.fromhex(digest),
    )


def _number(value: Mapping[str, Any], key: str, most: int = 2**48) -> int:
    found = value[key]
    if type(found) is not int or not 0 <= found < most:
        raise ValueError(f"{key} is out of range")
    return found
