"""Discs without a librarian: image files, block devices, mounted discs and folders with copies of them, read directly.

Everything read here comes from anywhere. Parsers check every length, every loop has an end, memory is bounded by the
size of the disc; what is wrong is :class:`odarchive.offline.errors.BadDisc`, and names never leave the disc's folder.
"""
