"""What Vagrant finds as VBoxManage: the real one, but for the little that needs its kernel module.

python -m tests.vagrant.vbox_manage SCRATCH WORD…

Three things are other than real. The version is one that Vagrant 2.3.4 knows, which knows none
after 7.0. Host-only adapters are only noted down. And Vagrant is told of those that are noted.
Everything else the real VBoxManage does, `startvm` included, which fails as it must.
"""

import json
import shlex
import subprocess
import sys
from pathlib import Path

from tests.vagrant.places import ROOT, Scratch
from tests.vagrant.vbox_chroot import real
from tests.vagrant.vbox_places import ASKED, adapters, programs

VERSION = "7.0.26r168464"
Adapters = dict[str, dict[str, str]]


def install(scratch: Scratch) -> None:
    """Put it where PATH finds it; what runs is this repository's, whatever the folder."""
    program = programs(scratch) / "VBoxManage"
    program.parent.mkdir()
    argv = [sys.executable, "-P", "-m", "tests.vagrant.vbox_manage", str(scratch.folder)]
    line = shlex.join(["env", f"PYTHONPATH={ROOT}", *argv])
    program.write_text(f'#!/bin/sh\nexec {line} "$@"\n')
    program.chmod(0o755)


def main(folder: str, *words: str) -> int:
    """Answer one call, and note it down with who answered."""
    scratch = Scratch(Path(folder))
    answer = stand_in(scratch, words)
    _note(words, "real" if answer is None else "stand-in")
    if answer is None:
        return subprocess.run(real(*words), check=False).returncode
    print(answer, end="")
    return 0


def stand_in(scratch: Scratch, words: tuple[str, ...]) -> str | None:
    """Answer in place of the real one; None where that can answer itself."""
    match words:
        case ["--version"]:
            return f"{VERSION}\n"
        case ["list", "hostonlyifs"]:
            return "\n".join(_listed(name, **facts) for name, facts in noted(scratch).items())
        case ["hostonlyif", "create"]:
            return _create(scratch)
        case ["hostonlyif", "ipconfig", name, "--ip", ip, "--netmask", netmask]:
            return _keep(scratch, {**noted(scratch), name: {"ip": ip, "netmask": netmask}})
    return None


def noted(scratch: Scratch) -> Adapters:
    """The host-only adapters that were asked for, by name."""
    file = adapters(scratch)
    known: Adapters = json.loads(file.read_text()) if file.exists() else {}
    return known


def _create(scratch: Scratch) -> str:
    known = noted(scratch)
    name = f"vboxnet{len(known)}"
    _keep(scratch, {**known, name: {"ip": "0.0.0.0", "netmask": "0.0.0.0"}})  # noqa: S104
    return f"Interface '{name}' was successfully created\n"


def _listed(name: str, ip: str, netmask: str) -> str:
    """One adapter in the real one's format; a field without a value ends in blanks, as there."""
    fields = {
        "Name": name,
        "DHCP": "Disabled",
        "IPAddress": ip,
        "NetworkMask": netmask,
        "IPV6Address": "",
        "IPV6NetworkMaskPrefixLength": "0",
        "Status": "Up",
    }
    return "".join(f"{key + ':':16} {value}\n" for key, value in fields.items())


def _keep(scratch: Scratch, known: Adapters) -> str:
    adapters(scratch).write_text(json.dumps(known))
    return ""


def _note(words: tuple[str, ...], who: str) -> None:
    with ASKED.open("a") as file:
        file.write(f"{json.dumps({'who': who, 'words': words})}\n")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
