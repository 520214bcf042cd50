"""A complete lab in a folder of its own, and ways to get it wrong."""

from collections.abc import Callable
from pathlib import Path

import pytest

GOOD = """\
name: quartet
domain: foobar.com
network: 192.168.56.0/24
provider: nspawn
load_balancing: active-active
application:
  path: app
  entry_point: board.wsgi:application
  static: static
  liveness: /healthz
  readiness: /readyz
  migrate: [python3, migrate.py]
  packages: [python3-jinja2]
  workers: 2
machines:
  lb-01:
    address: 192.168.56.10
    roles: [haproxy, dns]
    cpus: 1
    memory_mb: 512
  web-01:
    address: 192.168.56.11
    roles: [web, primary]
  web-02:
    address: 192.168.56.12
    roles: [web, replica]
    server_id: 12
  db-03:
    address: 192.168.56.13
    roles: [replica]
"""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write the good file with (old, new) pieces of text exchanged, beside an application."""

    def write(*changes: tuple[str, str]) -> Path:
        text = GOOD
        for old, new in changes:
            assert text.count(old) == 1, f"{old!r} has to stand once in the good file"
            text = text.replace(old, new)
        (tmp_path / "app" / "static").mkdir(parents=True, exist_ok=True)
        path = tmp_path / "topology.yml"
        path.write_text(text, encoding="utf-8")
        return path

    return write
