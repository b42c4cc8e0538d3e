"""Encrypted discs: what is stored is age files (age-encryption.org/v1) for the archive's recipients.

Own code rather than `pyrage` for the bytes: an image must come out the same twice, its size be known beforehand, and
one chunk be readable without those before it; decision 0012. Not for what is on a disc (``imaging``).
"""
