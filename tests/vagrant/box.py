"""A Vagrant box of Debian unstable, built from Debian packages alone and kept for the next run.

Boxes that others publish can't be fetched everywhere, and none has Debian's own MySQL. The disk is
one file system without partitions, as extlinux can boot it.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from provision.lab.command import run
from provision.lab.customise import finish_warm, prepare_warm, write
from tests.vagrant import packages
from tests.vagrant.host import Say
from tests.vagrant.places import BOX, BOXES, Scratch
from tests.vagrant.recipe import GATEWAY, OVERLAY, PACKAGES, SUITE, Recipe

DISK_GB = 6
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
AGE = "Acquire::Check-Valid-Until"
ALWAYS_RUN = ("systemd-networkd.service", "systemd-timesyncd.service", "ssh-host-key.service")
NEVER_RUN = (
    "apt-daily.timer",  # they hold dpkg's lock at moments that nobody chose
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "fstrim.timer",
    "serial-getty@ttyS0.service",
    "systemd-binfmt.service",
    "systemd-networkd-wait-online.service",
)


def ensure(recipe: Recipe, scratch: Scratch, say: Say) -> Path:
    """Return the box file of this recipe, built if need be."""
    file = BOXES / f"{recipe.version}.box"
    if not file.exists():
        say(f"building a box of Debian {SUITE} (once, about a minute)")
        _build(recipe, scratch.folder / "build", file)
    return file


def catalog(recipe: Recipe, file: Path) -> str:
    """Describe the box for `vagrant box add`, which gives boxes without a catalog no version."""
    provider = {"name": "libvirt", "url": file.as_uri()}
    versions = [{"version": recipe.version, "providers": [provider]}]
    return json.dumps({"name": BOX, "versions": versions})


def _build(recipe: Recipe, bench: Path, file: Path) -> None:
    root = bench / "root"
    bench.mkdir(parents=True)
    run(_debootstrap(recipe, root))
    _finish(root, recipe)
    _make_disk(root, bench)
    _pack(bench, file)
    shutil.rmtree(bench)


def _debootstrap(recipe: Recipe, root: Path) -> list[str]:
    options = [f'Acquire::http::Proxy "{packages.URL}"']
    options += [f'{AGE} "false"'] if recipe.ignores_age else []
    return [
        *("unshare", "--mount", "--propagation=private", "mmdebstrap", "--mode=root"),
        *("--variant=minbase", "--format=directory", "--skip=cleanup/apt/lists"),
        f"--include={','.join(PACKAGES)}",
        *(f"--aptopt={option}" for option in options),
        "--dpkgopt=force-unsafe-io",
        *(SUITE, str(root), _source(recipe)),
    ]


def _source(recipe: Recipe) -> str:
    return f"deb [signed-by={KEYRING}] {recipe.mirror} {SUITE} main"


def _finish(root: Path, recipe: Recipe) -> None:
    """Turn what mmdebstrap made into a system that boots and lets Vagrant in."""
    (root / "etc/apt/apt.conf.d/99mmdebstrap").unlink(missing_ok=True)
    shutil.copytree(OVERLAY, root, dirs_exist_ok=True)
    (root / "etc/sudoers.d/vagrant").chmod(0o440)
    _set_up_apt(root, recipe)
    _add_user(root)
    if recipe.preinstalled:
        _preinstall(root, recipe.preinstalled)
    _set_up_units(root)
    run(["chroot", str(root), "update-initramfs", "-u"])
    _forget_identity(root)


def _set_up_apt(root: Path, recipe: Recipe) -> None:
    settings = [f'Acquire::http::Proxy "http://{GATEWAY}:{packages.DOOR_PORT}";\n']
    settings += [f'{AGE} "false";\n'] if recipe.ignores_age else []
    write(root / "etc/apt/apt.conf.d/80box", "".join([*settings, 'Acquire::Languages "none";\n']))
    write(root / "etc/apt/sources.list", f"{_source(recipe)}\n")
    run(["chroot", str(root), "apt-cache", "gencaches"])


def _add_user(root: Path) -> None:
    """Let Vagrant in with the key that it replaces at the first boot."""
    add = ["useradd", "--create-home", "--shell=/bin/bash", "--password=*", "vagrant"]
    run(["chroot", str(root), *add])
    keys = root / "home/vagrant/.ssh/authorized_keys"
    write(keys, _public_key())
    run(["chroot", str(root), "chown", "-R", "vagrant:vagrant", "/home/vagrant/.ssh"])


def _public_key() -> str:
    listing = run(["dpkg-query", "--listfiles", "vagrant"]).splitlines()
    return Path(next(line for line in listing if line.endswith("/keys/vagrant.pub"))).read_text()


def _preinstall(root: Path, names: tuple[str, ...]) -> None:
    before = prepare_warm(root)
    install = ["apt-get", "install", "-y", "--no-install-recommends", *names]
    proxy = f"-oAcquire::http::Proxy={packages.URL}"
    run(["env", "DEBIAN_FRONTEND=noninteractive", "chroot", str(root), *install, proxy])
    finish_warm(root, before)


def _set_up_units(root: Path) -> None:
    systemctl = ["systemctl", f"--root={root}"]
    run([*systemctl, "enable", "--quiet", *ALWAYS_RUN])
    run([*systemctl, "mask", "--quiet", *NEVER_RUN])


def _forget_identity(root: Path) -> None:
    for key in root.glob("etc/ssh/ssh_host_*"):
        key.unlink()
    (root / "etc/machine-id").write_text("")
    for folder in (
        "etc",
        "var",
    ):  # newer than /usr, so the first boot has nothing to bring up to date
        (root / folder / ".updated").touch()


def _make_disk(root: Path, bench: Path) -> None:
    disk = bench / "disk.raw"
    with disk.open("wb") as file:
        file.truncate(DISK_GB << 30)
    features = "^64bit,^metadata_csum"  # extlinux reads neither
    run(["mkfs.ext4", "-q", "-O", features, "-d", str(root), str(disk)])
    with _mounted(disk, bench / "mount") as mount:
        run(["extlinux", "--install", str(mount / "boot/extlinux")])
    run(["qemu-img", "convert", "-O", "qcow2", str(disk), str(bench / "box.img")])


@contextmanager
def _mounted(disk: Path, where: Path) -> Iterator[Path]:
    where.mkdir()
    run(["mount", "-o", "loop", str(disk), str(where)])
    try:
        yield where
    finally:
        run(["umount", str(where)])


def _pack(bench: Path, file: Path) -> None:
    """Write the box under another name first: what lies under its own name is whole."""
    metadata = {"provider": "libvirt", "format": "qcow2", "virtual_size": DISK_GB}
    (bench / "metadata.json").write_text(json.dumps(metadata))
    (bench / "Vagrantfile").write_text('Vagrant.configure("2") { |_| }\n')
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".new")
    parts = ["metadata.json", "Vagrantfile", "box.img"]
    run(["tar", "--sparse", "--create", f"--file={draft}", f"--directory={bench}", *parts])
    draft.replace(file)
