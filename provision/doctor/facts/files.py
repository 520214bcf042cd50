"""Files of the kernel and of the host that may not be there, on macOS for example."""

from pathlib import Path


def text_of(path: Path) -> str | None:
    """Return what a file says, None where there is no such file or we may not read it."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return None


def nearest_existing(path: Path) -> Path:
    """Return the folder that exists and in which this path would be made."""
    return next(folder for folder in (path, *path.parents) if folder.exists())
