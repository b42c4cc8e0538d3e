"""The part of the build that pyproject.toml cannot say in a lasting way: what is in C, where there is a compiler.

Nothing needs it: odarchive/reading/native.py, odarchive/catalogue/bulk.py.
"""

from setuptools import Extension, setup

FLAGS = ["-std=c11", "-O2", "-fvisibility=hidden", "-Wall", "-Wextra"]
READING, CATALOGUE = "odarchive/reading/native_c", "odarchive/catalogue/native_c"

setup(
    ext_modules=[
        Extension(
            "odarchive.reading._native",
            [f"{READING}/{part}.c" for part in ("compare", "listing", "module", "usual")],
            depends=[f"{READING}/native.h", f"{READING}/sheet.h"],
            extra_compile_args=FLAGS,
            optional=True,
        ),
        Extension(
            "odarchive.catalogue._bulk",
            [f"{CATALOGUE}/{part}.c" for part in ("batch", "table")],
            depends=[f"{CATALOGUE}/bulk.h", f"{READING}/sheet.h"],
            include_dirs=[READING],
            libraries=["sqlite3"],
            extra_compile_args=FLAGS,
            optional=True,
        ),
    ]
)
