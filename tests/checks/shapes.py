"""Systems of other shapes than the sample's four machines."""

from pathlib import Path

_HEAD = """\
name: shape
domain: foobar.com
network: {network}
provider: ssh
load_balancing: active-active
application: {{path: app, entry_point: "board.wsgi:application"}}
"""
SINGLE = (
    _HEAD.format(network="127.0.0.0/8")
    + """\
ports: {web: 8080}
machines:
  web-01: {address: 127.0.0.1, roles: [haproxy, web, primary]}
"""
)
TEN = (
    _HEAD.format(network="10.7.0.0/24")
    + """\
machines:
  lb: {address: 10.7.0.2, public_address: 203.0.113.7, roles: [haproxy, dns]}
"""
    + "  web-1: {address: 10.7.0.11, roles: [web, primary]}\n"
    + "".join(f"  web-{n}: {{address: 10.7.0.1{n}, roles: [web]}}\n" for n in range(2, 6))
    + "".join(f"  db-{n}: {{address: 10.7.0.2{n}, roles: [replica]}}\n" for n in range(1, 5))
)


def write_shape(folder: Path, text: str) -> Path:
    """Write a topology file, with an application beside it."""
    (folder / "app").mkdir()
    path = folder / "production.yml"
    path.write_text(text)
    return path
