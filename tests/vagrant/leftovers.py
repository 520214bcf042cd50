"""What libvirt still has after everything was destroyed; its own box image is Vagrant's to keep."""

from provision.lab.command import run

VIRSH = ("virsh", "--quiet", "--connect", "qemu:///system")
NETWORK_OF_VAGRANT = "vagrant-libvirt"


def leftovers() -> list[str]:
    """Domains, disks, networks, interfaces and programs that belong to no daemon of the rig."""
    return [*_domains(), *_disks(), *_networks(), *_interfaces(), *_programs()]


def _domains() -> list[str]:
    return [f"domain {name}" for name in _virsh("list", "--all", "--name")]


def _disks() -> list[str]:
    listed = [line.split()[0] for line in _virsh("vol-list", "default")]
    return [f"disk {name}" for name in listed if "_vagrant_box_image_" not in name]


def _networks() -> list[str]:
    return [f"network {name}" for name in _virsh("net-list", "--all", "--name")]


def _interfaces() -> list[str]:
    listed = [line.split()[0] for line in run(["ip", "-brief", "link"]).splitlines()]
    return [f"interface {name}" for name in listed if name != "lo"]


def _programs() -> list[str]:
    listing = run(["ps", "-e", "-o", "stat=,args="]).splitlines()
    alive = [line.split(None, 1)[1] for line in listing if not line.startswith("Z")]
    return [f"program {each[:60]}" for each in alive if "qemu-system" in each or "dnsmasq" in each]


def _virsh(*words: str) -> list[str]:
    return [line for line in run([*VIRSH, *words]).splitlines() if line.strip()]
