"""The mount's process: the archive behind a file system, as ``odfs`` wants it. Knows no robot and no discs' bytes."""
