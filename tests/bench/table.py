"""``tests/bench/RESULTS.md``: goals beside what was measured, and the way to every area's own figures.

A bench tells its figures with ``tell`` and hands in its rows with ``put``; rows are kept in ``rows.json`` until that
bench runs again, each area with its date, so that one area measured anew leaves the others as they were. Neither keeps
anything of a run of another size than the usual. ``python tests/bench/table.py`` writes the table from the kept rows.
Not for figures themselves: each area's own RESULTS.md has them.
"""

import json
import os
import time
from pathlib import Path

HERE = Path(__file__).parent
ROWS = HERE / "rows.json"
Row = tuple[str, str, str, str]
"""Work, against what, goal, measured."""


def tell(area: Path, text: str, *, usual: bool) -> None:
    """Print what an area found, and keep it as its RESULTS.md if the run was of the ``usual`` size."""
    print(text)
    if usual:
        (area / "RESULTS.md").write_text(text.rstrip("\n") + "\n")


def put(area: str, rows: list[Row], command: str, *, usual: bool = True) -> None:
    """Keep the rows of an area if the run was of the ``usual`` size, and write the table."""
    if not usual:
        return
    kept = json.loads(ROWS.read_text()) if ROWS.exists() else {}
    load = os.getloadavg()[0]
    machine = f"{len(os.sched_getaffinity(0))} processors, load {load:.1f}"
    kept[area] = {"date": time.strftime("%Y-%m-%d"), "command": command, "machine": machine, "rows": rows}
    ROWS.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    write()


def write() -> None:
    """Write RESULTS.md from the kept rows and the areas that have figures."""
    kept = json.loads(ROWS.read_text()) if ROWS.exists() else {}
    lines = [
        "# What was measured",
        "",
        "Made by `make bench`. Here stand goals and what was measured, of the areas that hand in rows; all figures of",
        "an area are in its own file, listed below.",
        "",
    ]
    lines += ["| work | against | goal | measured |", "|---|---|---|---|"]
    for area in sorted(kept, reverse=True):
        lines += [f"| {' | '.join(row)} |" for row in kept[area]["rows"]]
    lines += [""]
    for area, about in sorted(kept.items(), reverse=True):
        lines.append(f"- {area}: `{about['command']}`, {about['date']}, {about['machine']} at its end")
    lines += ["", "All figures, with medians and ratios:", ""]
    lines += [
        f"- [{folder.parent.name}]({folder.parent.name}/RESULTS.md)" for folder in sorted(HERE.glob("*/RESULTS.md"))
    ]
    (HERE / "RESULTS.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    write()
