"""Templates are compiled once, and nobody else can put anything in their place."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from provision import templates

ONE = "nginx/online.conf"


@pytest.fixture(autouse=True)
def compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of the test's own for them, for an environment of its own."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(templates, "COMPILED", folder := tmp_path / "templates")
    templates._environment.cache_clear()
    yield folder
    templates._environment.cache_clear()


def test_compiled_templates_are_kept_where_nobody_else_can_write(compiled: Path) -> None:
    templates.render(ONE)
    assert compiled.stat().st_mode & 0o777 == 0o700
    assert len(list(compiled.iterdir())) == 1


def test_template_compiled_before_renders_the_same(compiled: Path) -> None:
    first = templates.render(ONE)
    templates._environment.cache_clear()
    assert templates.render(ONE) == first == (templates.FILES / ONE).read_text()


@pytest.mark.parametrize("place", ["no/such/folder", "a-file/in-it"])
def test_place_that_cannot_be_written_to_does_without(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a-file").touch()
    monkeypatch.setattr(templates, "COMPILED", tmp_path / place)
    assert templates.render(ONE)
    assert not (tmp_path / place).exists()


def test_nothing_is_kept_where_python_keeps_nothing(
    compiled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert templates.render(ONE)
    assert not compiled.exists()
