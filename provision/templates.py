"""Templates: what is copied to machines, under files/, one folder a product."""

import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemBytecodeCache, FileSystemLoader, StrictUndefined

FILES = Path(__file__).parent.parent / "files"
# Beside Python's own bytecode: who can write there can make us run anything as it is.
COMPILED = Path(__file__).parent / "__pycache__" / "templates"


def render(template: str, **values: Any) -> str:
    """Render files/TEMPLATE; a value that the template names and nobody gave is an error."""
    return _environment().get_template(template).render(values)


@cache
def _environment() -> Environment:
    # These are configuration files, not HTML; and a missing value must not become an empty string.
    return Environment(
        loader=FileSystemLoader(FILES),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701
        bytecode_cache=_compiled(),
    )


def _compiled() -> FileSystemBytecodeCache | None:
    """Templates are compiled once, and again when they or the options above have changed."""
    if sys.dont_write_bytecode:
        return None
    try:
        COMPILED.mkdir(mode=0o700, exist_ok=True)
    except OSError:
        return None
    if not os.access(COMPILED, os.R_OK | os.W_OK | os.X_OK):
        return None
    return FileSystemBytecodeCache(str(COMPILED), f"{Path(__file__).stat().st_mtime_ns:x}-%s")
