"""The part of the build that pyproject.toml cannot say in a lasting way: reading in C, where there is a compiler.

Nothing needs it: odarchive/reading/native.py.
"""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "odarchive.reading._native",
            [f"odarchive/reading/native_c/{part}.c" for part in ("compare", "listing", "module", "usual")],
            depends=["odarchive/reading/native_c/native.h"],
            extra_compile_args=["-std=c11", "-O2", "-fvisibility=hidden", "-Wall", "-Wextra"],
            optional=True,
        )
    ]
)
