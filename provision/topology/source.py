"""The text of a topology file."""

from pathlib import Path

from provision.topology.problems import Problem, TopologyError


def text_of(path: Path) -> str:
    """Read the file; raises TopologyError."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        message = f"there is no file {path}; run this in the project's folder or name another file"
        raise refusal(path, message) from error
    except OSError as error:
        message = f"can't be read ({error.strerror}); it has to be a file that you may read"
        raise refusal(path, message) from error
    except UnicodeDecodeError as error:
        raise refusal(path, "is not UTF-8 text; save it as UTF-8") from error


def refusal(path: Path, message: str, line: int | None = None) -> TopologyError:
    """Refuse the whole file, for one reason."""
    return TopologyError(path, [Problem("", line, message)])
