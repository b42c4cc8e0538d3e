"""Pure codecs, one per protocol: bytes to frozen values and back. Not for I/O, time or state."""
