"""Whether system containers can run here."""

from collections.abc import Iterator

from provision.doctor.facts.containers import ContainerHost
from provision.doctor.facts.host import HostKind
from provision.doctor.finding import Finding, error, ok, warning

LIMITING = {"memory": "memory_mb", "cpu": "cpus"}  # cgroup v2 controller -> what it enforces
UNFIT_BELOW_OVERLAY = {"overlay", "nfs", "nfs4", "cifs", "vfat", "exfat", "9p", "virtiofs", "ntfs3"}
ROOT = "root"  # an error of this name is mended by sudo alone


def judge_system(kind: HostKind) -> Finding:
    """Tell whether the kernel is the one that has them."""
    if kind.is_linux:
        return ok("system", f"Linux {kind.kernel}")
    return error(
        "system", f"{kind.system}: nspawn needs Linux", "provider: virtualbox in topology.yml"
    )


def judge_container_host(host: ContainerHost) -> Iterator[Finding]:
    """Judge all that a Linux host needs, in the order in which `up` would run into it."""
    yield _judge_root(host)
    yield _judge_programs(host)
    yield _judge_namespaces(host)
    yield _judge_overlay(host)
    yield _judge_state(host)
    yield _judge_cgroup(host)
    yield _judge_nftables(host)


def _judge_root(host: ContainerHost) -> Finding:
    if host.is_root:
        return ok(ROOT, "yes")
    return error(ROOT, "no: nspawn machines need root", "sudo ./lab up")


def _judge_programs(host: ContainerHost) -> Finding:
    missing = " ".join(host.missing_packages)
    if not host.has_apt:
        found = "no apt-get here: nspawn needs a Debian or Ubuntu host"
        return error("programs", found, "provider: virtualbox or libvirt in topology.yml")
    if missing:
        return ok("programs", f"missing, and installed by `./lab up`: {missing}")
    return ok("programs", "all there")


def _judge_namespaces(host: ContainerHost) -> Finding:
    if host.namespaces.succeeded:
        return ok("namespaces", "network and mount namespaces can be made")
    if not host.is_root:
        return warning("namespaces", "not told: only root may make them", "sudo ./lab doctor")
    said = _last_line(host.namespaces.err)
    mend = "if this host is a container itself, run that with --privileged"
    return error("namespaces", f"can't be made: {said}", mend)


def _judge_overlay(host: ContainerHost) -> Finding:
    if host.has_overlay:
        return ok("overlayfs", "the kernel has it")
    if host.has_modules:
        mend = "sudo apt-get install linux-modules-extra-$(uname -r) (Ubuntu), or another kernel"
        return error("overlayfs", "the kernel doesn't have it, nor a module for it", mend)
    found = "the kernel doesn't have it, and its modules are not on this host"
    mend = "sudo reboot, into the kernel that was installed since; a custom one: build it in"
    return error("overlayfs", found, mend)


def _judge_state(host: ContainerHost) -> Finding:
    kind = host.state_file_system
    if kind in UNFIT_BELOW_OVERLAY:
        mend = "mount an ordinary disk (ext4, xfs, btrfs) at /var/lib/quartet"
        return error("machines' disk", f"{kind}, on which no overlay can lie", mend)
    return ok("machines' disk", f"{kind}, on which overlays can lie")


def _judge_cgroup(host: ContainerHost) -> Finding:
    if host.cgroup_next_step:
        return error("cgroup v2", "not mounted", host.cgroup_next_step)
    lacking = [name for name in LIMITING if name not in host.cgroup_controllers]
    if not lacking:
        return ok("cgroup v2", "mounted, and limits are enforced")
    limits = " and ".join(LIMITING[name] for name in lacking)
    found = f"no controller {' nor '.join(lacking)} in it: {limits} are not enforced"
    mend = "if you need limits: systemd.unified_cgroup_hierarchy=1 on the kernel's command line"
    return warning("cgroup v2", found, mend)


def _judge_nftables(host: ContainerHost) -> Finding:
    answer = host.nftables
    if answer is None:
        found = "not told: no nft(8) on this host; only a firewall on the machines needs it"
        return warning("nftables", found, "sudo apt-get install nftables, then ./lab doctor")
    if answer.succeeded:
        return ok("nftables", "the kernel has it")
    if not host.is_root:
        return warning("nftables", "not told: only root may look", "sudo ./lab doctor")
    return warning(
        "nftables", f"can't be used: {_last_line(answer.err)}", "sudo modprobe nf_tables"
    )


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[-1]
