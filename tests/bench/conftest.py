"""Measurements run when they are asked for (``make bench``), not with the tests: they take minutes and want quiet."""

import sys
from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Nothing here is collected unless a path below this folder was named."""
    here = Path(__file__).parent
    named = [Path(config.invocation_params.dir, word.split("::")[0]).resolve() for word in config.args]
    return None if any(path == here or here in path.parents for path in named) else True


def pytest_sessionfinish(session: pytest.Session) -> None:
    """What was measured is joined in one table, whichever areas ran."""
    here = Path(__file__).parent
    named = [Path(session.config.invocation_params.dir, word.split("::")[0]).resolve() for word in session.config.args]
    if any(path == here or here in path.parents for path in named):
        sys.path.insert(0, str(here))
        import table

        table.write()
