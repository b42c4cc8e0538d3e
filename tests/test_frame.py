"""The frame around the program: lock file, layers, exit codes, start time. What no unit of the program owns."""

import importlib
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import odarchive
from odarchive.errors import OdarchiveError

ROOT = Path(__file__).parent.parent
LOCK = (ROOT / "requirements.lock").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def _names(requirements):
    return {re.match(r"[A-Za-z0-9_.-]+", line)[0].lower().replace("_", "-") for line in requirements}


def test_lock_names_no_place_and_hashes_everything():
    for word in ("://", "file:", "--index", "--extra-index", "find-links", "trusted-host", " @ "):
        assert word not in LOCK
    pinned = re.split(r"\n(?=[a-z0-9])", LOCK)[1:]
    assert len(pinned) > 40
    for requirement in pinned:
        assert re.match(r"[a-z0-9-]+==\S+ ", requirement), requirement
        assert "--hash=sha256:" in requirement


def test_lock_covers_what_pyproject_asks_for():
    extras = PROJECT["project"]["optional-dependencies"]
    asked = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]]
    asked += [line for lines in extras.values() for line in lines if not line.startswith("odarchive")]
    assert _names(asked) <= _names(re.findall(r"^[a-z0-9-]+(?===)", LOCK, re.MULTILINE))


def test_locked_python_packages_have_files_for_every_supported_version():
    """Compiled packages carry one hash for each platform; one hash alone is a wheel for everybody or a source."""
    blake3 = LOCK[LOCK.index("blake3==") :].split("\n")
    assert sum("--hash" in line for line in blake3[:80]) > 20


def _all_errors():
    for module in pkgutil.walk_packages(odarchive.__path__, "odarchive."):
        if "migrations" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    waiting = [OdarchiveError]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        yield kind


def test_exit_codes_are_unique_and_documented():
    from odarchive.cli.exits import codes

    table = codes()
    documented = [kind for kind in _all_errors() if kind.__module__ == "odarchive.errors"]
    assert len({kind.exit_code for kind in documented}) == len(documented)
    for kind in _all_errors():
        assert kind.exit_code in table, kind
    shown = subprocess.run([sys.executable, "-m", "odarchive", "--help"], capture_output=True, text=True, check=True)
    for code, meaning in table.items():
        assert re.search(rf"^ +{code}  {re.escape(meaning)}$", shown.stdout, re.MULTILINE), code


def test_help_imports_nothing_heavy():
    program = (
        "import sys\nfrom odarchive.cli import main\nassert main(['--help']) == 0\n"
        "sys.exit(','.join(sorted({'sqlalchemy', 'alembic', 'trio', 'httpx', 'pyfuse3', 'serial', 'pycdlib', 'rich'}"
        " & set(sys.modules))))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr == "\n"


def test_makefile_targets_and_ci_entry():
    makefile = (ROOT / "Makefile").read_text()
    for target in ("demo", "test", "check", "bench"):
        assert re.search(rf"^{target}: install\b", makefile, re.MULTILINE)
    run = ROOT / ".ci" / "run"
    assert run.stat().st_mode & 0o111
    assert "make check test" in run.read_text()


def test_readme_speaks_only_of_commands_that_exist():
    from odarchive.cli.root import _PLACES

    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    words = re.findall(r"^\s*(?:odarchive)((?: -a \S+)?) ([a-z_-]+)", "\n".join(blocks), re.MULTILINE)
    assert words
    assert {command.replace("_", "-") for _, command in words} <= set(_PLACES)


def test_every_target_that_the_makefile_names_has_a_rule():
    text = (ROOT / "Makefile").read_text()
    head = text[: text.index("\nSHELL")]
    named = set(re.findall(r"^#.*?\bmake (\w+)", head, re.MULTILINE)) | set(re.findall(r"  make (\w+)  ", head))
    phony = set(re.search(r"^\.PHONY: (.*)", text, re.MULTILINE)[1].split())
    assert {"fuzz", "bench", "lock"} <= named <= phony
    for target in phony:
        rule = re.search(rf"^{target}:(?! export).*\n(\t.+\n)?", text, re.MULTILINE)
        assert rule is not None, f"make {target} has no rule"
        assert rule[1] or target == "install", f"make {target} does nothing"


def test_the_rig_reads_absent_package_lists_anew(tmp_path):
    said = tmp_path / "said"
    for name, code in (("apt-cache", 100), ("apt-get", 1), ("sudo", 1)):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\necho {name} "$@" >>{said}\nexit {code}\n')
        program.chmod(0o755)
    done = subprocess.run(
        [ROOT / "tests" / "rig" / "kernel_build.sh", tmp_path / "out"],
        env={"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "even after apt-get update" in done.stderr
    assert "update -q=2" in said.read_text()
