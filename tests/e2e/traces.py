"""What a lab could leave behind on its host."""

import subprocess
import tempfile
from dataclasses import dataclass, fields
from pathlib import Path

_SYSCTLS = ("net/ipv4/ip_forward", "net/ipv4/conf/all/forwarding", "net/ipv6/conf/all/forwarding")
_FILES = {
    # Locks outlive their labs.
    "/var/lib/quartet": "*/",
    "/var/cache/quartet/images": ".building-*",
    # And systemd-nspawn's own locks their machines.
    "/run/systemd/nspawn": "[!l]*/*",
    tempfile.gettempdir(): "quartet-*",
}


@dataclass(frozen=True)
class Traces:
    """Mounts, interfaces, addresses, namespaces, cgroups, firewall rules, sysctls and so on."""

    mounts: frozenset[str]
    links: frozenset[str]
    routes: frozenset[str]
    namespaces: frozenset[str]
    cgroups: frozenset[str]
    sysctls: tuple[str, ...]
    rules: str
    processes: frozenset[str]
    files: frozenset[str]

    @classmethod
    def read(cls) -> "Traces":
        """Look at the host as it is now."""
        return cls(
            mounts=frozenset(line.split()[4] for line in _lines("/proc/self/mountinfo")),
            links=frozenset(_run("ip", "-o", "-br", "link").splitlines()),
            routes=frozenset(_run("ip", "-o", "route").splitlines()),
            namespaces=frozenset(_run("ip", "netns", "list").splitlines()),
            cgroups=frozenset(
                str(path) for path in Path("/sys/fs/cgroup").rglob("*quartet*") if path.is_dir()
            ),
            sysctls=tuple(Path("/proc/sys", name).read_text() for name in _SYSCTLS),
            rules=_run("nft", "list", "ruleset"),
            processes=frozenset(_lab_processes()),
            files=frozenset(_files()),
        )

    def since(self, before: "Traces") -> dict[str, str]:
        """What is other than before, by kind."""
        return {
            each.name: f"{getattr(before, each.name)!r} -> {getattr(self, each.name)!r}"
            for each in fields(self)
            if getattr(before, each.name) != getattr(self, each.name)
        }


def _lab_processes() -> list[str]:
    """Programs that only a lab starts; what waits to be buried by a lazy PID 1 is none."""
    listing = _run("ps", "-eo", "pid=,stat=,args=").splitlines()
    names = ("systemd-nspawn", "apt-cacher-ng", "mysqld", "haproxy", "gunicorn", "nginx", "nsd")
    alive = [line.split(None, 2) for line in listing if line.split()[1][0] != "Z"]
    return [f"{pid} {args}" for pid, _, args in alive if any(name in args for name in names)]


def _files() -> list[str]:
    """Folders of labs and of images in the making, and what machines and checks share."""
    found = [Path(folder).glob(pattern) for folder, pattern in _FILES.items()]
    return [str(path) for paths in found for path in paths if path.is_dir()]


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def _run(*argv: str) -> str:
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return ""  # a host without the program has nothing of its kind
