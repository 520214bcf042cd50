"""VirtualBox and Vagrant: which versions fit, whose VT-x it is, which ranges are allowed."""

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from provision.doctor import Finding, Severity
from provision.doctor.facts.host import HostKind
from provision.doctor.facts.vagrant import VagrantFacts
from provision.doctor.rules.vagrant import PACKAGES, SOURCE, judge_box, judge_vagrant
from provision.doctor.rules.virtualbox import (
    DEFAULT_RANGE,
    OLD_PACKAGES,
    allowed_ranges,
    judge_driver,
    judge_hostonly_range,
    judge_kernel_module,
    judge_kvm_conflict,
    judge_virtualbox,
    judge_virtualisation,
)
from provision.doctor.versions import Version
from tests.doctor.hosts import ARM_LINUX, BARE_METAL, LINUX, MAC, VAGRANT, VIRTUALBOX

INSIDE, OUTSIDE = IPv4Network("192.168.56.0/24"), IPv4Network("10.20.0.0/24")


def _severities(findings: Iterable[Finding]) -> list[str]:
    return [finding.severity.value for finding in findings]


def _vagrant(version: str) -> str:
    return f"install Vagrant {version} or later: {PACKAGES}"


def _virtualbox(series: str) -> str:
    return (
        f"install VirtualBox {series} or earlier (Ubuntu: sudo apt-get install virtualbox; Debian: "
        "add the repository of https://www.virtualbox.org/wiki/Linux_Downloads, "
        f"then sudo apt-get install virtualbox-{series})"
    )


@pytest.mark.parametrize(
    ("box", "vagrant", "mend"),
    [
        ((7, 0, 20), (2, 3, 4), ""),
        ((7, 1, 4), (2, 3, 4), f"{_vagrant('2.4.2')}, or {_virtualbox('7.0')}"),
        ((7, 1, 4), (2, 4, 2), ""),
        ((7, 2, 0), (2, 4, 8), f"{_vagrant('2.4.9')}, or {_virtualbox('7.1')}"),
        ((7, 2, 0), (2, 4, 9), ""),
        ((6, 1, 50), (2, 0, 0), _vagrant("2.2.7")),
        ((8, 0, 0), (2, 4, 9), _virtualbox("7.2")),
    ],
)
def test_vagrant_drives_the_virtualbox_versions_it_knows(
    box: Version, vagrant: Version, mend: str
) -> None:
    [finding] = judge_driver(replace(VIRTUALBOX, version=box), VagrantFacts(vagrant), LINUX)
    assert finding.mend == mend
    assert (finding.severity is Severity.OK) == (mend == "")


def test_driver_that_a_distribution_added_counts() -> None:
    patched = VagrantFacts((2, 3, 8), frozenset({(7, 0), (7, 1)}))
    assert _severities(judge_driver(VIRTUALBOX, patched, LINUX)) == ["ok"]


def test_what_is_not_installed_is_said_once() -> None:
    absent = replace(VIRTUALBOX, version=None, has_device=False)
    assert judge_virtualbox(absent, VAGRANT, LINUX).severity is Severity.ERROR
    assert not list(judge_driver(absent, VAGRANT, LINUX))
    assert not list(judge_kernel_module(absent, LINUX))


def test_virtualbox_to_install_is_one_that_the_vagrant_here_drives() -> None:
    absent = replace(VIRTUALBOX, version=None)
    assert judge_virtualbox(absent, VagrantFacts((2, 3, 4)), LINUX).mend == _virtualbox("7.0")


def test_on_macos_an_older_virtualbox_is_not_what_brew_has() -> None:
    absent = replace(VIRTUALBOX, version=None)
    assert "brew install" in judge_virtualbox(absent, VagrantFacts((2, 4, 9)), MAC).mend
    assert OLD_PACKAGES in judge_virtualbox(absent, VagrantFacts((2, 4, 2)), MAC).mend


def test_kernel_module_is_asked_for_on_linux_alone() -> None:
    unloaded = replace(VIRTUALBOX, has_device=False)
    assert _severities(judge_kernel_module(unloaded, LINUX)) == ["error"]
    assert not list(judge_kernel_module(unloaded, MAC))


@pytest.mark.parametrize(("is_virtual", "word"), [(True, "nested"), (False, "firmware")])
def test_missing_virtualisation_is_mended_where_it_is_missing(is_virtual: bool, word: str) -> None:
    bare = replace(BARE_METAL, has_virtualisation=False, is_virtual=is_virtual)
    [finding] = judge_virtualisation(bare, LINUX)
    assert finding.severity is Severity.ERROR
    assert word in finding.mend


def test_virtualisation_is_not_looked_for_where_proc_cpuinfo_does_not_tell() -> None:
    bare = replace(BARE_METAL, has_virtualisation=False)
    assert not list(judge_virtualisation(bare, MAC))
    assert not list(judge_virtualisation(bare, ARM_LINUX))


@pytest.mark.parametrize(
    ("box", "kernel", "at_load", "severities"),
    [
        ((7, 0, 20), (6, 1), True, []),
        ((7, 0, 20), (6, 12), True, ["error"]),
        ((7, 0, 20), (6, 12), False, ["ok"]),
        ((7, 2, 4), (6, 12), True, ["error"]),
        ((7, 2, 4), (6, 18), True, ["warning"]),
        ((7, 2, 4), (6, 18), False, ["ok"]),
        ((7, 2, 10), (6, 18), True, ["ok"]),
        ((7, 2, 10), (6, 18), False, ["error"]),
        ((7, 2, 14), (6, 12), True, ["error"]),
        ((7, 2, 14), (6, 12), False, ["ok"]),
    ],
)
def test_kvm_and_virtualbox_share_vt_x_or_not(
    box: Version, kernel: Version, at_load: bool, severities: list[str]
) -> None:
    processor = replace(BARE_METAL, kvm_at_load=at_load)
    found = judge_kvm_conflict(replace(VIRTUALBOX, version=box), processor, kernel)
    assert _severities(found) == severities


def test_kvm_that_is_not_loaded_holds_nothing() -> None:
    assert not list(judge_kvm_conflict(VIRTUALBOX, replace(BARE_METAL, kvm_module=None), (6, 12)))


def test_conflict_is_mended_by_the_module_that_is_loaded() -> None:
    amd = replace(BARE_METAL, kvm_module="kvm_amd")
    [finding] = judge_kvm_conflict(VIRTUALBOX, amd, (6, 12))
    assert finding.mend.startswith("sudo modprobe -r kvm_amd")


@pytest.mark.parametrize(
    ("conf", "ranges"),
    [
        (None, ["192.168.56.0/21"]),
        ("* 10.0.0.0/8 192.168.0.0/16\n* 2001::/64\n", ["10.0.0.0/8", "192.168.0.0/16"]),
        ("# * 10.0.0.0/8\n  * 172.16.0.0/12\n", ["172.16.0.0/12"]),
        ("* everything 300.1.1.1/99\n", []),
        ("", []),
    ],
)
def test_networks_conf_is_read_as_vagrant_reads_it(conf: str | None, ranges: list[str]) -> None:
    assert list(map(str, allowed_ranges(conf))) == ranges


def test_default_range_is_allowed_without_a_file() -> None:
    assert INSIDE.subnet_of(DEFAULT_RANGE)
    assert judge_hostonly_range(INSIDE, VIRTUALBOX, LINUX).severity is Severity.OK


def test_other_range_needs_the_file_and_keeps_the_default_in_it() -> None:
    finding = judge_hostonly_range(OUTSIDE, VIRTUALBOX, LINUX)
    assert finding.severity is Severity.ERROR
    assert "'* 192.168.56.0/21 10.20.0.0/24'" in finding.mend


def test_file_that_forgets_the_default_range_forbids_it() -> None:
    box = replace(VIRTUALBOX, networks_conf="* 10.0.0.0/8\n")
    assert judge_hostonly_range(OUTSIDE, box, LINUX).severity is Severity.OK
    assert "'* 192.168.56.0/24'" in judge_hostonly_range(INSIDE, box, LINUX).mend


@pytest.mark.parametrize(("version", "severity"), [((7, 0, 4), "ok"), ((6, 1, 40), "error")])
def test_virtualbox_7_on_macos_allows_every_range(version: Version, severity: str) -> None:
    box = replace(VIRTUALBOX, version=version)
    assert judge_hostonly_range(OUTSIDE, box, MAC).severity == severity


def test_virtualbox_before_6_1_28_allows_every_range() -> None:
    box = replace(VIRTUALBOX, version=(6, 1, 26))
    assert judge_hostonly_range(OUTSIDE, box, LINUX).severity is Severity.OK


def test_vagrant_is_there_or_not() -> None:
    assert judge_vagrant(VAGRANT, LINUX).severity is Severity.OK
    assert judge_vagrant(VagrantFacts(None), MAC).mend.startswith("brew")


def test_vagrant_is_installed_from_where_it_is_new_enough() -> None:
    assert "apt-get install vagrant" in judge_vagrant(VagrantFacts(None), LINUX).mend
    assert judge_vagrant(VagrantFacts(None), ARM_LINUX).mend.endswith(SOURCE)


@pytest.mark.parametrize(
    ("version", "kind", "mend"),
    [
        ((2, 2, 19), LINUX, f"install Vagrant 2.3 or later: {PACKAGES}"),
        ((2, 3, 0), LINUX, ""),
        ((2, 3, 8), MAC, f"install Vagrant 2.4 or later: {PACKAGES}"),
        ((2, 3, 8), ARM_LINUX, f"install Vagrant 2.4 or later: {SOURCE}"),
        ((2, 4, 0), ARM_LINUX, ""),
    ],
)
def test_vagrant_is_new_enough_for_the_processor(
    version: Version, kind: HostKind, mend: str
) -> None:
    finding = judge_vagrant(VagrantFacts(version), kind)
    assert finding.mend == mend
    assert (finding.severity is Severity.OK) == (mend == "")


def test_box_has_to_be_built_for_arm() -> None:
    assert not list(judge_box("bento/ubuntu-24.04", LINUX))
    [finding] = judge_box("bento/ubuntu-24.04", ARM_LINUX)
    assert finding.severity is Severity.WARNING
