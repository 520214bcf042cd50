"""Packages: what dpkg says is read, and the one script that installs them is careful."""

import re
import shutil
import subprocess

import pytest

from provision.resources import Packages, changed_keys
from provision.resources.facts import parse_answers
from provision.resources.package import INSTALL_TIMEOUT_S
from tests.local_host import LocalHost
from tests.recording_host import RecordingHost

# dpkg-query ends each line with a third letter, mostly a space.
STATES = {"nginx": "ii ", "haproxy": "rc ", "nsd": "un ", "mysql-server": "hi "}
OUTPUT = "".join(f"{name} {state}\n" for name, state in STATES.items())


def _changes(output: str, *names: str) -> dict[str, str]:
    resource = Packages(names)
    answer = f"\n--quartet-fact packages\n{output}"
    return changed_keys(resource, parse_answers(resource.facts(), answer))


@pytest.mark.parametrize("name", ["nginx", "mysql-server"])
def test_installed_package_is_left_alone(name: str) -> None:
    assert _changes(OUTPUT, name) == {}


@pytest.mark.parametrize("name", ["haproxy", "nsd", "never-heard-of"])
def test_package_that_is_not_there_is_absent(name: str) -> None:
    assert _changes(OUTPUT, name) == {name: "absent"}


@pytest.mark.parametrize("state", ["iU", "iF", "iH", "iHR", "iW", "it", "iiR"])
def test_half_installed_package_of_anybody_is_seen(state: str) -> None:
    changes = _changes(f"{OUTPUT}other {state}\n", "nginx")
    assert changes == {"half installed": "other"}


def test_all_half_installed_packages_are_named() -> None:
    assert _changes("b iU\na iF\n", "a") == {"half installed": "a b", "a": "absent"}


@pytest.mark.parametrize("state", ["ri", "di"])
def test_package_marked_for_removal_is_not_half_installed(state: str) -> None:
    assert _changes(f"nginx ii\nother {state}\n", "nginx") == {}


@pytest.mark.skipif(not shutil.which("dpkg-query"), reason="dpkg is not on this host")
def test_real_dpkg_is_understood() -> None:
    host = LocalHost()
    assert "dpkg" not in host.changes(Packages(("dpkg",)))
    assert host.changes(Packages(("no-such-package-at-all",)))["no-such-package-at-all"] == "absent"


class TestInstallation:
    @pytest.fixture
    def script(self) -> str:
        host = RecordingHost()
        Packages(("nginx", "python3-jinja2")).apply(host, {"nginx": "absent"})
        assert [call.timeout_s for call in host.calls] == [INSTALL_TIMEOUT_S]
        return host.calls[0].script

    def test_script_is_sound_shell(self, script: str) -> None:
        assert subprocess.run(["sh", "-n", "-c", script], check=False).returncode == 0

    def test_all_packages_are_installed_in_one_transaction(self, script: str) -> None:
        lines = re.findall(r"^\s*apt install .*? -- (.+?)(?: \|\|.*)?$", script, re.MULTILINE)
        assert lines == ["nginx python3-jinja2"] * 2

    def test_apt_is_never_run_without_waiting_for_its_lock(self, script: str) -> None:
        calls = [line for line in script.splitlines() if "apt-get" in line]
        assert len(calls) == 1
        assert "DPkg::Lock::Timeout=600" in calls[0]

    def test_nobody_is_asked_anything(self, script: str) -> None:
        assert script.index("DEBIAN_FRONTEND=noninteractive") < script.index("apt-get")
        assert "Dpkg::Options::=--force-confdef" in script
        assert "Dpkg::Options::=--force-confold" in script

    def test_what_was_left_half_installed_is_finished_first(self, script: str) -> None:
        configure = script.index("--configure -a")
        assert configure < script.index("apt -f install") < script.index("apt install")

    def test_services_are_kept_from_starting_only_meanwhile(self, script: str) -> None:
        trap = script.index('trap \'rm -f "$policy"')
        assert (
            trap < script.index("exit 101") < script.index("ln -sfn") < script.index("apt install")
        )
        assert re.search(r"trap '.*' EXIT", script)

    def test_a_policy_of_somebody_elses_is_left_alone(self, script: str) -> None:
        guarded = script[script.index("if [ ! -e") : script.index("\nfi\n")]
        assert '"$(readlink "$policy")" = /run/quartet/policy-rc.d' in guarded
        assert script.count("$policy") == guarded.count("$policy")

    def test_policy_outlives_no_power_cut(self, script: str) -> None:
        assert re.search(r"printf .* > /run/quartet/policy-rc\.d", script)
