"""libvirt with and without KVM, and keys for servers that exist already."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from provision.doctor import Finding, Severity
from provision.doctor.facts.asking import MISSING, Answer
from provision.doctor.facts.host import HostKind
from provision.doctor.facts.processor import KvmState
from provision.doctor.facts.servers import KeyFile, SshFacts
from provision.doctor.rules.libvirt import judge_libvirt, judge_libvirt_system
from provision.doctor.rules.servers import judge_key, judge_ssh
from tests.doctor.hosts import ARM_LINUX, BARE_METAL, LIBVIRT, LINUX, MAC

KEY = KeyFile(Path("/home/a/.ssh/id_ed25519"), 0o600)


def _faults(
    kvm: KvmState = KvmState.USABLE, kind: HostKind = LINUX, **spoiled: Any
) -> list[Finding]:
    findings = judge_libvirt(replace(LIBVIRT, **spoiled), replace(BARE_METAL, kvm=kvm), kind)
    return [finding for finding in findings if finding.severity is not Severity.OK]


def test_good_host_has_no_fault_with_any_qemu() -> None:
    assert not _faults()


@pytest.mark.parametrize(
    ("spoiled", "name", "mend"),
    [
        ({"has_plugin": False}, "vagrant-libvirt", "vagrant plugin install"),
        ({"daemon": Answer(MISSING)}, "libvirtd", "apt-get install libvirt-daemon-system"),
        ({"daemon": Answer(1, err="No such file")}, "libvirtd", "systemctl start libvirtd"),
        (
            {"daemon": Answer(1, err="No such file"), "has_daemon": False},
            "libvirtd",
            "apt-get install libvirt-daemon-system",
        ),
        ({"daemon": Answer(1, err="Permission denied")}, "libvirtd", "usermod -aG libvirt"),
        ({"qemu": None}, "QEMU", "apt-get install qemu-system-x86"),
    ],
)
def test_what_a_host_lacks_is_found(spoiled: dict[str, Any], name: str, mend: str) -> None:
    [fault] = _faults(**spoiled)
    assert (fault.name, fault.severity) == (name, Severity.ERROR)
    assert mend in fault.mend


def test_plugins_that_can_not_be_listed_are_no_error() -> None:
    [fault] = _faults(has_plugin=None)
    assert fault.severity is Severity.WARNING


def test_daemon_is_started_by_hand_where_systemd_is_not() -> None:
    [fault] = _faults(daemon=Answer(1), has_systemd=False)
    assert fault.mend == "sudo libvirtd -d; sudo virtlogd -d"


@pytest.mark.parametrize("kvm", [KvmState.ABSENT, KvmState.FORBIDDEN, KvmState.NO_HARDWARE])
def test_without_kvm_machines_start_only_where_emulation_was_chosen(kvm: KvmState) -> None:
    [fault] = _faults(kvm, qemu=(10, 0, 2))
    assert fault.severity is Severity.ERROR
    assert 'l.driver = "qemu"' in fault.mend
    [fault] = _faults(kvm, qemu=(10, 0, 2), is_emulating=True)
    assert fault.severity is Severity.WARNING


@pytest.mark.parametrize(
    ("module", "mend"),
    [
        ("kvm_intel", "sudo modprobe kvm_intel; or"),
        ("kvm_amd", "sudo modprobe kvm_amd; or"),
        (None, "sudo modprobe kvm_intel (Intel) or kvm_amd (AMD); or"),
    ],
)
def test_kvm_is_loaded_by_the_processors_own_module(module: str | None, mend: str) -> None:
    processor = replace(BARE_METAL, kvm=KvmState.ABSENT, vendors_module=module)
    [kvm] = [each for each in judge_libvirt(LIBVIRT, processor, LINUX) if each.name == "KVM"]
    assert mend in kvm.mend


def test_emulation_needs_a_qemu_that_does_not_corrupt_its_guests() -> None:
    faults = _faults(KvmState.ABSENT, is_emulating=True)
    assert [fault.severity for fault in faults] == ["warning", "error"]
    assert "add bookworm-backports" in faults[1].mend


def test_on_arm_nothing_is_said_of_the_other_processors() -> None:
    [kvm] = _faults(KvmState.ABSENT, ARM_LINUX)
    assert kvm.mend == "switch on nested virtualisation on the host of this machine"
    [qemu] = _faults(kind=ARM_LINUX, qemu=None)
    assert qemu.mend == "sudo apt-get install qemu-system-arm qemu-efi-aarch64 qemu-utils"


def test_only_linux_has_kvm() -> None:
    assert judge_libvirt_system(LINUX).severity is Severity.OK
    assert judge_libvirt_system(MAC).severity is Severity.ERROR


@pytest.mark.parametrize(
    ("key", "severity"),
    [
        (KEY, "ok"),
        (replace(KEY, mode=0o400), "ok"),
        (replace(KEY, mode=0o644), "error"),
        (replace(KEY, mode=None), "error"),
        (replace(KEY, is_readable=False), "error"),
    ],
)
def test_key_is_usable_if_it_is_ours_alone(key: KeyFile, severity: str) -> None:
    assert judge_key(key).severity == severity


@pytest.mark.parametrize(
    ("agent_keys", "keys", "severity"),
    [(2, (), "ok"), (0, (), "warning"), (None, (), "warning"), (None, (KEY,), "ok")],
)
def test_agent_matters_where_no_key_file_is_named(
    agent_keys: int | None, keys: tuple[KeyFile, ...], severity: str
) -> None:
    *_, agent = judge_ssh(SshFacts(True, agent_keys, keys))
    assert agent.severity == severity


def test_missing_client_is_an_error() -> None:
    client, *_ = judge_ssh(SshFacts(False, 1, ()))
    assert client.severity is Severity.ERROR
