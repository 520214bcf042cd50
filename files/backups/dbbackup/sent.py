"""Files that were sent here to restore from, a folder for each restore."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path("/var/lib/dbbackup-sent")
LEFT_OVER_S = 600
"""What was written later may belong to a restore that is about to begin."""


@contextmanager
def folder(name: str) -> Iterator[Path]:
    """One restore's folder, which is gone afterwards."""
    try:
        yield ROOT / name
    finally:
        shutil.rmtree(ROOT / name, ignore_errors=True)


def remove_left_over() -> None:
    """Remove what restores that were cut off have left; only while no restore is under way."""
    for each in ROOT.iterdir() if ROOT.exists() else ():
        if time.time() - _last_written(each) > LEFT_OVER_S:
            shutil.rmtree(each, ignore_errors=True)


def _last_written(path: Path) -> float:
    return max(each.stat().st_mtime for each in (path, *path.iterdir()))
