"""Packages: what dpkg says is read, and the one script that installs them is careful."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from provision.connection import CommandFailedError
from provision.errors import QuartetError
from provision.resources import Packages, changed_keys, package
from provision.resources.facts import parse_answers
from provision.resources.package import INSTALL_TIMEOUT_S
from tests.local_host import LocalHost, write_program
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
        names = ("nginx", "haproxy", "python3-jinja2")
        Packages(names).apply(host, {"nginx": "absent", "python3-jinja2": "absent"})
        assert [call.timeout_s for call in host.calls] == [INSTALL_TIMEOUT_S]
        return host.calls[0].script

    def test_script_is_sound_shell(self, script: str) -> None:
        assert subprocess.run(["sh", "-n", "-c", script], check=False).returncode == 0

    def test_only_missing_packages_are_installed_in_one_transaction(self, script: str) -> None:
        lines = re.findall(r"^carefully install .*? -- (.+)$", script, re.MULTILINE)
        assert lines == ["nginx python3-jinja2"]
        assert "haproxy" not in script

    def test_apt_is_never_run_without_waiting_for_its_lock(self, script: str) -> None:
        calls = [line for line in script.splitlines() if "apt-get" in line and " -s " not in line]
        assert len(calls) == 1
        assert "DPkg::Lock::Timeout=600" in calls[0]

    def test_nobody_is_asked_anything(self, script: str) -> None:
        assert script.index("DEBIAN_FRONTEND=noninteractive") < script.index("apt-get")
        assert "Dpkg::Options::=--force-confdef" in script
        assert "Dpkg::Options::=--force-confold" in script

    def test_what_was_left_half_installed_is_finished_first(self, script: str) -> None:
        configure = script.index("--configure -a")
        fix = script.index("carefully -f install")
        assert configure < fix < script.index("carefully install")

    def test_services_are_kept_from_starting_only_meanwhile(self, script: str) -> None:
        trap = script.index('trap \'rm -f "$policy"')
        assert (
            trap
            < script.index("exit 101")
            < script.index("ln -sfn")
            < script.index("carefully install")
        )
        assert re.search(r"trap '.*' EXIT", script)

    def test_no_service_is_restarted_for_its_libraries(self, script: str) -> None:
        assert script.index("export") < script.index("NEEDRESTART_SUSPEND=1\n")
        assert script.index("NEEDRESTART_SUSPEND=1\n") < script.index("apt-get")

    def test_a_policy_of_somebody_elses_is_left_alone(self, script: str) -> None:
        guarded = script[script.index("if [ ! -e") : script.index("\nfi\n")]
        assert '"$(readlink "$policy")" = /run/quartet/policy-rc.d' in guarded
        assert script.count("$policy") == guarded.count("$policy")

    def test_policy_outlives_no_power_cut(self, script: str) -> None:
        assert re.search(r"printf .* > /run/quartet/policy-rc\.d", script)


# It writes down what it is told. What would be removed stands in the file `removes`, what can't
# be had before an update in `unknown`.
APT_GET = """\
cd "$(dirname "$0")"
echo "$*" | sed 's/.* -y //' >> told
removes() { [ -e removes ] && grep -q -e "$1" removes; }
case "$*" in
*' update') rm -f unknown; exit ;;
'-s -f '*) removes -f && echo 'Remv client-core [1.0] [client:amd64 ]' ;;
'-s '*) removes install && printf 'Remv %s [1.0]\\nInst nginx (1)\\n' client client-core ;;
*--no-remove*' -f install') ! removes -f ;;
*--no-remove*) [ ! -e unknown ] && ! removes install ;;
esac || { echo "E: apt-get can't" >&2; exit 100; }
"""
FIX = "--no-remove -f install"
INSTALL = "--no-remove install --no-install-recommends --no-upgrade --"


class TestAptGet:
    """The script, run with an apt-get and a dpkg that change nothing."""

    @pytest.fixture(autouse=True)
    def programs(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        script = package._INSTALL
        for path in ("/run/quartet", "/usr/sbin/policy-rc.d", "/var/lib/apt/lists"):
            script = script.replace(path, f"{tmp_path}{path}")
        monkeypatch.setattr(package, "_INSTALL", script)
        for folder in ("usr/sbin", "var/lib/apt/lists"):
            (tmp_path / folder).mkdir(parents=True)
        (tmp_path / "var/lib/apt/lists/archive_Packages").touch()
        programs = tmp_path / "bin"
        write_program(programs, "dpkg", "exit 0")
        write_program(programs, "apt-get", APT_GET)
        return programs

    @staticmethod
    def _install(programs: Path, *missing: str) -> list[str]:
        names = ("nginx", "haproxy", "mysql-server")
        Packages(names).apply(LocalHost(programs), dict.fromkeys(missing, "absent"))
        return (programs / "told").read_text().splitlines()

    def test_packages_that_are_there_are_not_named(self, programs: Path) -> None:
        told = self._install(programs, "mysql-server", "nginx")
        assert told == [FIX, f"{INSTALL} nginx mysql-server"]

    def test_nothing_is_named_where_only_a_half_installed_one_is_finished(
        self, programs: Path
    ) -> None:
        assert self._install(programs) == [FIX, INSTALL]

    def test_package_that_lacks_a_dependency_is_left_to_apt(self, programs: Path) -> None:
        write_program(programs, "dpkg", "echo leaving unconfigured >&2; exit 1")
        assert self._install(programs, "nginx") == [FIX, f"{INSTALL} nginx"]

    def test_lists_that_fall_short_are_brought_up_to_date_once(self, programs: Path) -> None:
        (programs / "unknown").touch()
        told = self._install(programs, "nginx")
        assert told == [FIX, f"{INSTALL} nginx", "--no-remove update", f"{INSTALL} nginx"]

    def test_installation_that_would_remove_packages_is_refused(self, programs: Path) -> None:
        (programs / "removes").write_text("install\n")
        with pytest.raises(QuartetError) as caught:
            self._install(programs, "nginx")
        assert caught.value.where == "here-01"
        assert caught.value.what == (
            "apt would have to remove client client-core, so nothing was installed"
        )
        assert "`sudo apt-get remove client client-core`" in caught.value.next_step

    def test_repair_that_would_remove_packages_is_refused_before_more_is_installed(
        self, programs: Path
    ) -> None:
        (programs / "removes").write_text("-f\n")
        with pytest.raises(QuartetError, match="remove client-core, so nothing"):
            self._install(programs, "nginx")
        assert not any(line.startswith(INSTALL) for line in (programs / "told").open())

    def test_any_other_failure_is_told_as_apt_tells_it(self, programs: Path) -> None:
        write_program(programs, "apt-get", "echo 'E: Unable to locate package nginx' >&2; exit 100")
        with pytest.raises(CommandFailedError, match="Unable to locate package nginx"):
            Packages(("nginx",)).apply(LocalHost(programs), {"nginx": "absent"})

    @pytest.mark.parametrize("refused", [False, True])
    def test_policy_is_gone_afterwards(self, programs: Path, refused: bool, tmp_path: Path) -> None:
        if refused:
            (programs / "removes").write_text("install\n")
            with pytest.raises(QuartetError):
                self._install(programs, "nginx")
        else:
            self._install(programs, "nginx")
        assert list((tmp_path / "usr/sbin").iterdir()) == []
        assert not (tmp_path / "run/quartet/policy-rc.d").exists()
