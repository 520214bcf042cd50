"""What database machines need for backups."""

import configparser
import json

from provision.age import NAME
from provision.resources import File, Packages, Service
from provision.roles import backups
from provision.secrets import SecretStore
from provision.topology import Backups
from tests.site_parts import TOPOLOGY, site_of, variant

WEB_02 = TOPOLOGY.machine("web-02")


def files(secrets: SecretStore | None = None) -> dict[str, File]:
    site = site_of(variant(backups=Backups(at="04:30", keep_days=3)), secrets)
    found = backups.resources(WEB_02, site)
    return {each.path: each for each in found if isinstance(each, File)}


def test_settings_are_the_topologys() -> None:
    settings = json.loads(files()[backups.CONFIG].content)
    assert settings.pop("recipient").startswith("age1")
    assert settings == {
        "machine": "web-02",
        "databases": ["web-01", "web-02", "db-03"],
        "at": "04:30",
        "keep_days": 3,
        "max_lag_s": 5,
    }


def test_private_key_stays_here() -> None:
    secrets = SecretStore(None)
    content = "".join(each.content for each in files(secrets).values())
    assert "AGE-SECRET-KEY" not in content.upper()
    assert (secrets.peek(NAME) or "").startswith("AGE-SECRET-KEY-1")


def test_timer_looks_every_few_minutes_and_after_a_boot() -> None:
    timer = configparser.ConfigParser()
    timer.optionxform = str  # type: ignore[assignment,method-assign]
    timer.read_string(files()["/etc/systemd/system/dbbackup.timer"].content)
    assert dict(timer["Timer"]) == {"OnActiveSec": "2min", "OnUnitActiveSec": "5min"}


def test_timer_runs_and_the_tools_are_installed() -> None:
    found = backups.resources(WEB_02, site_of())
    assert {"age", "zstd"} <= {
        n for each in found if isinstance(each, Packages) for n in each.names
    }
    assert [each.name for each in found if isinstance(each, Service)] == ["dbbackup.timer"]
