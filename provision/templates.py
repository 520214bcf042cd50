"""Templates: what is copied to machines, under files/, one folder a product."""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

FILES = Path(__file__).parent.parent / "files"


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
    )
