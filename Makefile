# From a fresh clone every target first installs what it needs: `make demo` is a complete command.
#
#   make install          .venv with .venv/bin/odarchive (and system packages, when root or password-less sudo)
#   make demo             the main job with a simulated robot; Ctrl-C takes it down
#   make demo CHECK=1     the same, compared byte by byte with the source, then taken down
#       SOURCE=DIR        archive that folder instead of a selection of this machine's files
#       MEDIA=SIZE        capacity of the virtual discs, such as 100MB or cd
#   make test             the whole test suite          make check   linters, types, layers, units
#   make soak             the controller under fresh seeds, an hour of them (SOAK=SECONDS)
#   make rig              in an emulator: images as Linux itself mounts them; a night with its sr, sg, ch, mtx, xorriso
#                         (ten minutes or so; fails after RIG_SECONDS, 1800)
#   make fuzz             hostile discs from a fuzzer, FUZZ=SECONDS of them
#   make bench            measurements                  make lock    make requirements.lock anew
#   make clean            remove what the targets made

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.SILENT:
.DEFAULT_GOAL := install
.PHONY: install demo test rig fuzz soak check bench lock clean

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# One line per system package: Debian's name, then a command that succeeds when it is not needed (any more).
# The commands see $PYTHON. Other lists may be joined: make NEEDS_MORE='par2: command -v par2'
define NEEDS
python3: "$$PYTHON" -c "import sys; sys.exit(sys.version_info < (3, 11))"
python3-venv: "$$PYTHON" -c "import ensurepip, venv"
python3-dev: test -e "$$("$$PYTHON" -c "import sysconfig; print(sysconfig.get_path('include'))")/Python.h"
libsqlite3-dev: echo "#include <sqlite3.h>" | "$$(command -v gcc || command -v cc)" -E -x c -
gcc: command -v gcc || command -v cc
libc6-dev: echo "#include <stdio.h>" | "$$(command -v gcc || command -v cc)" -E -x c -
pkg-config: command -v pkg-config
libfuse3-dev: pkg-config --exists fuse3
fuse3: command -v fusermount3
xorriso: command -v xorriso
$(NEEDS_MORE)
endef
export NEEDS

# What the tests need beside: independent readers of images, the real mtx, systemd's own check of units.
define NEEDS_TEST
age: command -v age
dvdisaster: command -v dvdisaster
ffmpeg: command -v ffprobe
ffmpegthumbnailer: command -v ffmpegthumbnailer
genisoimage: command -v isoinfo && command -v genisoimage
grub-common: command -v grub-fstest
libarchive-tools: command -v bsdtar
libudfread0: ls /usr/lib/*/libudfread.so.0
mtx: command -v mtx
p7zip-full: command -v 7z
plocate: command -v updatedb.plocate
rsync: command -v rsync
samba: command -v smbd
smbclient: command -v smbclient
systemd: command -v systemd-analyze
udftools: command -v udfinfo
util-linux: command -v prlimit
endef
export NEEDS_TEST

# What `make rig` needs beside: an emulator, and what makes a root file system for it.
define NEEDS_RIG
busybox-static: busybox true
cpio: command -v cpio
growisofs: command -v growisofs
qemu-system-x86: command -v qemu-system-x86_64
wodim: command -v wodim
endef
export NEEDS_RIG

# Newest first among those that are new enough; `python3` when none is, so that the message names it.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && { echo $$p; exit; }; \
	done; echo python3)
export PYTHON

install: $(VENV)/.installed

# Installs the packages of the list $$NEEDED that are missing, or says which they are.
define INSTALL_MISSING
missing() {
	while IFS=: read -r package proof; do
		[ -n "$$package" ] && ! (eval "$$proof") >/dev/null 2>&1 && echo "$$package"
	done <<<"$$NEEDED" || true
}
absent=$$(missing)
if [ -n "$$absent" ]; then
	as_root=
	if [ "$$(id -u)" != 0 ]; then as_root="sudo -n"; fi
	if command -v apt-get >/dev/null && $$as_root true 2>/dev/null; then
		echo "install: system packages:" $$absent
		$$as_root apt-get update -q=2 || true
		$$as_root env DEBIAN_FRONTEND=noninteractive \
			apt-get install -q=2 -y --no-install-recommends $$absent </dev/null || true
		absent=$$(missing)
	fi
fi
if [ -n "$$absent" ]; then
	echo "install: missing on this system:" $$absent >&2
	echo "install: install them, then run make again: sudo apt-get install" $$absent >&2
	exit 1
fi
endef

$(VENV)/.system: Makefile
	NEEDED=$$NEEDS
	$(INSTALL_MISSING)
	mkdir -p $(VENV)
	touch $@

$(VENV)/.system-test: Makefile $(VENV)/.installed
	NEEDED=$$NEEDS_TEST
	$(INSTALL_MISSING)
	touch $@

$(VENV)/.system-rig: $(VENV)/.system-test
	NEEDED=$$NEEDS_RIG
	$(INSTALL_MISSING)
	touch $@

# Wheels first; then what exists only as source is built with the locked build tools, outside isolation, so that
# nothing without a locked hash ever runs. --no-deps: the lock is complete.
$(VENV)/.locked: requirements.lock $(VENV)/.system
	if ! $(BIN)/python -c '' 2>/dev/null; then "$$PYTHON" -m venv --clear $(VENV); touch $(VENV)/.system; fi
	awk '/^[^ #]/ { keep = !/^pyfuse3==/ } keep' requirements.lock > $(VENV)/wheels.lock
	echo "install: the locked packages into $(VENV)"
	$(PIP) install -q --no-deps --require-hashes -r $(VENV)/wheels.lock
	$(PIP) install -q --no-deps --require-hashes --no-build-isolation -r requirements.lock
	touch $@

$(VENV)/.installed: pyproject.toml setup.py $(wildcard odarchive/*/native_c/*) $(VENV)/.locked
	PYTHONWARNINGS=ignore:Editable $(PIP) install -q --no-deps --no-build-isolation --editable .
	touch $@

demo: export DEMO_SOURCE = $(SOURCE)
demo: install
	options=()
	if [ -n "$$DEMO_SOURCE" ]; then options+=(--source "$$DEMO_SOURCE"); fi
	if [ -n "$(CHECK)" ]; then options+=(--check); fi
	if [ -n "$(MEDIA)" ]; then options+=(--media "$(MEDIA)"); fi
	exec $(BIN)/odarchive demo "$${options[@]}"

test: install $(VENV)/.system-test
	$(BIN)/python -m pytest $(PYTEST)

SOAK ?= 3600

soak: install
	$(BIN)/python -m tests.simulation --seconds $(SOAK)

# The fuzzer is no part of the lock: it is for this target alone, which brings it. A find is kept here as crash-...
FUZZ ?= 600

fuzz: install
	if ! $(BIN)/python -c 'import atheris' 2>/dev/null; then $(PIP) install -q --no-deps 'atheris>=2.3,<4'; fi
	$(BIN)/python -m tests.fuzz -max_total_time=$(FUZZ)

# Fetches the package of Debian's own kernel, installs it nowhere. Whatever is skipped there counts as failed, and the
# whole ends within RIG_SECONDS: interrupted, pytest still says what it has seen, and ends its emulators.
RIG_SECONDS ?= 1800

rig: $(VENV)/.system-rig
	RIG=1 timeout --foreground --signal=INT --kill-after=60 $(RIG_SECONDS) \
		$(BIN)/python -m pytest -o faulthandler_timeout=900 tests/rig $(PYTEST)

check: install $(VENV)/.system-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/test_frame_units.py

bench: install
	if [ -d tests/bench ]; then
		$(BIN)/python -m pytest -q tests/bench
	else
		echo "bench: there is no benchmark yet (tests/bench)"
	fi

# Made without any configuration of this machine: the lock must hold for everybody. What pip-compile reads is spelled
# out first, because it knows extras but not groups, and would lock the project itself through the extra `all`.
# UPGRADE=--upgrade moves to the newest releases.
define LOCK_INPUT
import tomllib
with open("pyproject.toml", "rb") as file:
    toml = tomllib.load(file)
project = toml["project"]
lists = [project["dependencies"], *project["optional-dependencies"].values(), toml["dependency-groups"]["dev"]]
print(*(line for lines in lists for line in lines if not line.startswith("odarchive")), sep="\n")
endef
export LOCK_INPUT

lock: $(VENV)/.system
	$(BIN)/python -c "$$LOCK_INPUT" > $(VENV)/lock.in
	env -u PIP_FIND_LINKS -u PIP_INDEX_URL -u PIP_EXTRA_INDEX_URL -u PIP_CONSTRAINT PIP_CONFIG_FILE=/dev/null \
		$(BIN)/pip-compile --quiet --no-config --allow-unsafe --generate-hashes --no-header --no-annotate --strip-extras \
		--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options \
		$(UPGRADE) --output-file requirements.lock $(VENV)/lock.in
	sed -i -e '/^#/d' -e '/^$$/d' -e '1i # Made by `make lock` from pyproject.toml; Linux, Python 3.11 to 3.13.' requirements.lock

clean:
	rm -rf $(VENV) build dist .demo tests/rig/out *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find odarchive odfs robot tests -name __pycache__ -type d -exec rm -rf {} +
