"""What makes a plain release an image for lab machines: an account, sshd, and no identity."""

import hashlib
import shutil
from pathlib import Path

from provision.lab.command import run, succeeds
from provision.lab.release import Release

USER = "quartet"
HOST_CERTIFICATES = Path("/usr/local/share/ca-certificates")
POLICY = "usr/sbin/policy-rc.d"
ENABLED = "etc/systemd/system"
NEVER_RUN = (
    "apt-daily.timer",  # they hold dpkg's lock at moments that nobody chose
    "apt-daily-upgrade.timer",
    "console-getty.service",
)
SSHD = (
    "PasswordAuthentication no",
    "UseDNS no",
    "PerSourcePenalties no",  # whoever waits for a machine knocks often; OpenSSH 9.8 and later
)
IDENTITY = (  # what must differ between machines, and is made anew at their first start
    "etc/ssh/ssh_host_*",
    "var/lib/dbus/machine-id",
    "var/lib/systemd/random-seed",
    "var/lib/mysql/auto.cnf",
    "var/lib/mysql/*.pem",
)


def finish_base(root: Path, release: Release, ignores_age: bool) -> None:
    """Turn what mmdebstrap made into a base image."""
    (root / "etc/apt/apt.conf.d/99mmdebstrap").unlink(missing_ok=True)
    if ignores_age:
        write(root / "etc/apt/apt.conf.d/80quartet-age", 'Acquire::Check-Valid-Until "false";\n')
    for draft in (root / "etc/apt/sources.list.d").iterdir():
        draft.unlink()
    write(root / "etc/apt/sources.list", release.sources())
    _add_certificates(root)
    _add_user(root)
    _set_up_sshd(root)
    run(["systemctl", f"--root={root}", "enable", "--quiet", "systemd-networkd.service"])
    run(["systemctl", f"--root={root}", "mask", "--quiet", *NEVER_RUN])
    forget_identity(root)


def prepare_warm(root: Path) -> frozenset[Path]:
    """Keep services from starting during the installation; return what is enabled before it."""
    write(root / POLICY, "#!/bin/sh\nexit 101\n", 0o755)
    return enabled_units(root)


def finish_warm(root: Path, enabled_before: frozenset[Path]) -> None:
    """Turn a base image with packages installed into a warm image.

    The new services are there but not enabled: a machine has every package of the lab and runs
    only what is asked of it, after it was configured.
    """
    (root / POLICY).unlink()
    for link in enabled_units(root) - enabled_before:
        link.unlink()
    run(["chroot", str(root), "apt-get", "clean"])
    forget_identity(root)


def enabled_units(root: Path) -> frozenset[Path]:
    """List the links by which services are enabled."""
    return frozenset((root / ENABLED).glob("*.wants/*.service"))


def forget_identity(root: Path) -> None:
    """Remove what two machines must not share."""
    for pattern in IDENTITY:
        for path in root.glob(pattern):
            path.unlink()
    (root / "etc/machine-id").write_text("")


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file in one go if it differs, never through a link that lies in its place."""
    if path.is_file() and not path.is_symlink() and path.read_text() == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.quartet")
    draft.write_text(text)
    draft.chmod(mode)
    draft.replace(path)


def certificates_hash() -> str:
    """Tell apart what hosts trust beyond the usual; empty where that's nothing."""
    texts = [path.read_bytes() for path in sorted(HOST_CERTIFICATES.rglob("*.crt"))]
    return hashlib.sha256(b"".join(texts)).hexdigest() if texts else ""


def _add_certificates(root: Path) -> None:
    """Let machines trust what their host trusts beyond the usual, as behind a company's proxy."""
    certificates = sorted(HOST_CERTIFICATES.rglob("*.crt"))
    if certificates:
        target = root / HOST_CERTIFICATES.relative_to("/")
        target.mkdir(parents=True, exist_ok=True)
        for certificate in certificates:
            shutil.copy(certificate, target / certificate.name)
        run(["chroot", str(root), "update-ca-certificates"])


def _add_user(root: Path) -> None:
    chroot = ["chroot", str(root)]
    run([*chroot, "useradd", "--create-home", "--shell=/bin/bash", "--password=*", USER])
    write(root / "etc/sudoers.d/quartet", f"{USER} ALL=(ALL:ALL) NOPASSWD: ALL\n", 0o440)
    run([*chroot, "visudo", "--check", "--quiet", "--file=/etc/sudoers.d/quartet"])


def _set_up_sshd(root: Path) -> None:
    """Relax sshd for a lab; what this release's sshd doesn't know yet is left out."""
    (root / "run/sshd").mkdir(mode=0o755, exist_ok=True)
    sshd = ["chroot", str(root), "/usr/sbin/sshd", "-t"]
    known = [line for line in SSHD if succeeds([*sshd, "-o", line.replace(" ", "=")])]
    write(root / "etc/ssh/sshd_config.d/10-quartet.conf", "".join(f"{line}\n" for line in known))
    run(sshd)
