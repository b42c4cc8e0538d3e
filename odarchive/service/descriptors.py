"""How many files a process may have open: a mount and its librarian have one for each reader that waits for a disc."""

import resource

WANTED = 65_536


def raise_limit() -> None:
    """Allow this process as many as it may allow itself, up to ``WANTED``; 1,024 is what a login usually gets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
