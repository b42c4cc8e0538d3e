"""Checked contents on a local disk: whole ones under their digests, and parts of large ones while they arrive.

The librarian is the only writer (``store``, ``filling``, ``parts``); mounts read the files directly (``reader``,
``parts``). Not for policy (what to bring) nor for discs.
"""

from odarchive.cache.files import boot_time_ns
from odarchive.cache.filling import Filling
from odarchive.cache.parts import Partial, PartialReader
from odarchive.cache.reader import CacheReader
from odarchive.cache.store import Cache, CacheOrder, Keeping

__all__ = [
    "Cache",
    "CacheOrder",
    "CacheReader",
    "Filling",
    "Keeping",
    "Partial",
    "PartialReader",
    "boot_time_ns",
]
