"""System containers: a good host passes, and each thing that it may lack is found."""

from dataclasses import replace
from typing import Any

import pytest

from provision.doctor import Finding, Severity
from provision.doctor.facts.asking import Answer
from provision.doctor.rules.containers import judge_container_host, judge_system
from tests.doctor.hosts import CONTAINERS, LINUX, MAC


def _faults(**spoiled: Any) -> list[Finding]:
    findings = judge_container_host(replace(CONTAINERS, **spoiled))
    return [finding for finding in findings if finding.severity is not Severity.OK]


def test_good_host_has_no_fault() -> None:
    assert not _faults()


@pytest.mark.parametrize(
    ("spoiled", "name", "severity", "mend"),
    [
        ({"is_root": False}, "root", Severity.ERROR, "sudo ./lab up"),
        ({"has_apt": False}, "programs", Severity.ERROR, "provider: virtualbox"),
        (
            {"namespaces": Answer(1, err="Operation not permitted")},
            "namespaces",
            Severity.ERROR,
            "",
        ),
        ({"has_overlay": False}, "overlayfs", Severity.ERROR, "install linux-modules-extra-$("),
        (
            {"has_overlay": False, "has_modules": False},
            "overlayfs",
            Severity.ERROR,
            "sudo reboot",
        ),
        ({"state_file_system": "overlay"}, "machines' disk", Severity.ERROR, "/var/lib/quartet"),
        ({"cgroup_controllers": frozenset({"cpu"})}, "cgroup v2", Severity.WARNING, "systemd."),
        ({"cgroup_next_step": "mount it"}, "cgroup v2", Severity.ERROR, "mount it"),
        ({"nftables": None}, "nftables", Severity.WARNING, "apt-get install nftables"),
        ({"nftables": Answer(1, err="x")}, "nftables", Severity.WARNING, "modprobe nf_tables"),
    ],
)
def test_what_a_host_lacks_is_found(
    spoiled: dict[str, Any], name: str, severity: Severity, mend: str
) -> None:
    [fault] = _faults(**spoiled)
    assert (fault.name, fault.severity) == (name, severity)
    assert mend in fault.mend
    assert fault.mend


def test_missing_packages_are_installed_by_up() -> None:
    [finding] = [
        each
        for each in judge_container_host(replace(CONTAINERS, missing_packages=("mmdebstrap",)))
        if each.name == "programs"
    ]
    assert finding.severity is Severity.OK
    assert "mmdebstrap" in finding.found


def test_without_root_what_only_root_may_see_is_a_warning() -> None:
    refused = Answer(1, err="Operation not permitted")
    faults = _faults(is_root=False, namespaces=refused, nftables=refused)
    assert [fault.severity for fault in faults] == ["error", "warning", "warning"]


def test_lacking_controller_says_what_is_not_enforced() -> None:
    [fault] = _faults(cgroup_controllers=frozenset({"memory"}))
    assert fault.found == "no controller cpu in it: cpus are not enforced"


def test_only_linux_has_system_containers() -> None:
    assert judge_system(LINUX).severity is Severity.OK
    assert "virtualbox" in judge_system(MAC).mend
