"""Timestamps of the two formats, from seconds and nanoseconds since the epoch, always UTC.

Not for clocks: every time comes from the caller. Times outside a format's range are clamped to its nearest end; whoever
needs to know asks `in_iso_range` and `in_udf_range`.

Facts: ECMA-167 1/7.3 (12 bytes, years to 9999, microseconds); ECMA-119 9.1.5 (7 bytes, 1900 + one byte) and 8.4.26.1
(17 bytes). Rock Ridge takes the 7-byte form: Linux before 6.15 reads the 17-byte form of TF as garbage.
"""

from datetime import date
from functools import lru_cache
from struct import Struct

_EPOCH = date(1970, 1, 1).toordinal()
_FIRST_DAY, _LAST_DAY = 1 - _EPOCH, date.max.toordinal() - _EPOCH
_ISO_FIRST = (date(1900, 1, 1).toordinal() - _EPOCH) * 86400
_ISO_LAST = (date(2156, 1, 1).toordinal() - _EPOCH) * 86400 - 1
_UDF = Struct("<HhBBBBBBBB")
_UTC = 0x1000  # type 1 "local time", offset 0 from UTC


@lru_cache(maxsize=4096)
def _civil(day: int) -> tuple[int, int, int]:
    """Year, month and day of a day since the epoch, in or outside the range of years 1 to 9999."""
    when = date.fromordinal(min(max(day, _FIRST_DAY), _LAST_DAY) + _EPOCH)
    return when.year, when.month, when.day


def in_iso_range(seconds: int) -> bool:
    """Whether the 7-byte form holds this time: 1900 to 2155."""
    return _ISO_FIRST <= seconds <= _ISO_LAST


def in_old_linux_range(seconds: int) -> bool:
    """Whether isofs of Linux before 6.15 shows this time: its iso_date answers 32 bits (measured on 6.1)."""
    return -(1 << 31) <= seconds < 1 << 31


def in_udf_range(seconds: int) -> bool:
    """Whether UDF's form holds this time: years 1 to 9999."""
    return _FIRST_DAY * 86400 <= seconds < (_LAST_DAY + 1) * 86400


def udf_stamp(seconds: int, nanos: int) -> bytes:
    """Twelve bytes, floored to the microsecond, years 1 to 9999."""
    day, second = divmod(seconds, 86400)
    if not _FIRST_DAY <= day <= _LAST_DAY:
        day, second, nanos = (_FIRST_DAY, 0, 0) if day < 0 else (_LAST_DAY, 86399, 999_999_999)
    year, month, mday = _civil(day)
    minute, second = divmod(second, 60)
    hour, minute = divmod(minute, 60)
    centi, rest = divmod(nanos // 1000, 10_000)
    hundreds, micro = divmod(rest, 100)
    return _UDF.pack(_UTC, year, month, mday, hour, minute, second, centi, hundreds, micro)


def iso_stamp(seconds: int) -> bytes:
    """Seven bytes, whole seconds, years 1900 to 2155."""
    day, second = divmod(min(max(seconds, _ISO_FIRST), _ISO_LAST), 86400)
    year, month, mday = _civil(day)
    minute, second = divmod(second, 60)
    hour, minute = divmod(minute, 60)
    return bytes((year - 1900, month, mday, hour, minute, second, 0))


def iso_long_stamp(seconds: int, nanos: int) -> bytes:
    """Seventeen bytes: decimal digits to 1/100 s and the UTC offset byte."""
    day, second = divmod(seconds, 86400)
    minute, second = divmod(second, 60)
    hour, minute = divmod(minute, 60)
    digits = (*_civil(day), hour, minute, second, nanos // 10_000_000)
    return b"%04d%02d%02d%02d%02d%02d%02d\0" % digits
