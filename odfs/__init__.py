"""A read-only file system over many discs. Knows FUSE; knows no SQL, no robot, no network."""
