"""The whole examination, on the host that runs the tests, and what is printed of it."""

from dataclasses import replace
from pathlib import Path

import pytest

from provision.doctor import Finding, Severity, examine, has_error, print_findings
from provision.doctor.examination import _can_run, _virtual_room
from provision.doctor.facts import host
from provision.doctor.finding import error
from provision.errors import QuartetError
from provision.topology import Topology

FINDINGS = [
    Finding("Python", Severity.OK, "3.13.1"),
    Finding("cgroup v2", Severity.WARNING, "no [memory] controller", "boot :smile: otherwise"),
    Finding("KVM", Severity.ERROR, "no /dev/kvm", "sudo modprobe kvm_intel " + "x" * 200),
]


@pytest.mark.parametrize("provider", ["nspawn", "virtualbox", "libvirt", "ssh"])
def test_this_host_can_be_examined_for_each_provider(topology: Topology, provider: str) -> None:
    findings = examine(topology, provider)
    assert {"Python", "locale", "clock"} <= {finding.name for finding in findings}
    assert len(findings) >= 5
    for finding in findings:
        assert finding.found
        assert (finding.mend == "") == (finding.severity is Severity.OK)


@pytest.mark.parametrize("provider", ["nspawn", "virtualbox", "libvirt", "ssh"])
def test_host_without_any_program_can_be_examined(
    topology: Topology, provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert has_error(examine(topology, provider))


def test_provider_that_can_not_run_here_names_one_that_can_or_says_that_none_can(
    topology: Topology, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    *_, last = examine(topology, "virtualbox")
    assert last.name == "other providers"
    assert "ssh" in last.mend


@pytest.mark.parametrize(
    ("names", "is_able"), [([], True), (["root"], True), (["root", "overlayfs"], False)]
)
def test_provider_that_lacks_only_root_could_run(names: list[str], is_able: bool) -> None:
    assert _can_run(error(name, "lacks", "mend") for name in names) is is_able


def test_key_that_the_topology_names_is_looked_at(topology: Topology, tmp_path: Path) -> None:
    findings = examine(topology, "ssh", keys=[tmp_path / "absent"])
    assert has_error(findings)


@pytest.mark.parametrize("provider", ["virtualbox", "libvirt"])
def test_memory_is_asked_for_machines_that_are_still_to_be_made(
    provider: str, topology: Topology, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that are there may hold theirs; each topology file has machines of its own."""
    monkeypatch.setattr(host, "free_memory_mb", lambda: 1)
    mine = replace(topology, path=tmp_path / "other.yml")
    theirs = replace(topology, path=tmp_path / "topology.yml")
    notes = tmp_path / ".vagrant/other/machines/web-01" / provider
    assert _memory(mine, provider) is _memory(theirs, provider) is Severity.ERROR
    notes.mkdir(parents=True)
    (notes / "id").touch()
    assert _memory(mine, provider) is Severity.WARNING
    assert _memory(theirs, provider) is Severity.ERROR


def _memory(topology: Topology, provider: str) -> Severity:
    """What is said of it, whether or not the provider could run here."""
    findings = list(_virtual_room(topology, provider, topology.path.parent))
    return next(each.severity for each in findings if "memory" in each.name)


def test_unknown_provider_is_refused(topology: Topology) -> None:
    with pytest.raises(QuartetError, match="pick one of nspawn, virtualbox, libvirt, ssh"):
        examine(topology, "vmware")


def test_each_finding_is_a_line_and_its_mend_one_to_copy(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_findings(FINDINGS)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "ok       Python     3.13.1"
    assert lines[1] == "warning  cgroup v2  no [memory] controller"
    assert lines[2] == "         → boot :smile: otherwise"
    assert lines[4].endswith("x" * 200)
    assert lines[-1] == "1 ok, 1 warning, 1 error"
