"""A stand-in for `vagrant`: it keeps Vagrant's files, says what Vagrant says, and boots nothing.

Machines that "run" are the SSH servers whose ports `settings.json` names, beside this program's own
record of what it was asked (`calls`). A file `broken` there makes every command fail with its text.
"""

import json
import os
import re
import sys
from pathlib import Path

FAKE = Path(os.environ["FAKE_VAGRANT"])
PROVIDER = os.environ["VAGRANT_DEFAULT_PROVIDER"]
MACHINES = Path(os.environ["VAGRANT_DOTFILE_PATH"]) / "machines"
NOT_READY = (
    "The provider for this Vagrant-managed machine is reporting that it\nis not yet ready for SSH."
)


def main(command: str, *arguments: str) -> int:
    with (FAKE / "calls").open("a") as calls:
        calls.write(" ".join([command, *arguments]) + "\n")
    (FAKE / "environment").write_text(json.dumps({**os.environ, "PWD": str(Path.cwd())}))
    if (FAKE / "broken").exists():
        print((FAKE / "broken").read_text(), file=sys.stderr)
        return 1
    targets = [each for each in arguments if not each.startswith("--")]
    chosen = [name for name in names() if is_meant(name, targets)]
    return {
        "up": up,
        "halt": halt,
        "reload": up,
        "destroy": destroy,
        "status": status,
        "ssh-config": ssh_config,
    }[command](chosen)


def names() -> list[str]:
    from ruamel.yaml import YAML  # noqa: PLC0415

    topology = YAML(typ="safe", pure=True).load(Path(os.environ["QUARTET_TOPOLOGY"]))
    return list(topology["machines"])


def is_meant(name: str, targets: list[str]) -> bool:
    patterns = [target[1:-1] if target[0] == "/" else f"^{target}$" for target in targets]
    return not patterns or any(re.search(pattern, name) for pattern in patterns)


def up(chosen: list[str]) -> int:
    for name in chosen:
        print(f"Bringing machine '{name}' up with '{PROVIDER}' provider...")
        folder = MACHINES / name / PROVIDER
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "id").exists():
            (folder / "id").write_text(os.urandom(8).hex())
        (folder / "synced_folders").write_text("{}")
        (FAKE / f"{name}.running").touch()
    return 0


def halt(chosen: list[str]) -> int:
    for name in chosen:
        (FAKE / f"{name}.running").unlink(missing_ok=True)
    return 0


def destroy(chosen: list[str]) -> int:
    for name in chosen:
        for file in (MACHINES / name / PROVIDER).glob("*"):
            file.unlink()
    return halt(chosen)


def state(name: str) -> str:
    if not (MACHINES / name / PROVIDER / "id").exists():
        return "not_created"
    off = {"libvirt": "shutoff", "virtualbox": "poweroff"}[PROVIDER]
    return "running" if (FAKE / f"{name}.running").exists() else off


def status(chosen: list[str]) -> int:
    for name in chosen:
        print(f"1795304630,{name},metadata,provider,{PROVIDER}")
    for name in chosen:
        print(f"1795304630,{name},provider-name,{PROVIDER}")
        print(f"1795304630,{name},state,{state(name)}")
        print(f"1795304630,{name},state-human-short,{state(name).replace('_', ' ')}")
        print(f"1795304630,{name},state-human-long,To stop it%!(VAGRANT_COMMA) say so.")
    print("1795304630,,ui,info,Current machine states:\\n\\nlb-01     running (libvirt)")
    return 0


def ssh_config(chosen: list[str]) -> int:
    settings = json.loads((FAKE / "settings.json").read_text())
    for name in chosen:
        if state(name) != "running":
            print(NOT_READY, file=sys.stderr)
            return 1
        print(
            f"Host {name}\n  HostName 127.0.0.1\n  User quartet\n  Port {settings['ports'][name]}\n"
            "  UserKnownHostsFile /dev/null\n  StrictHostKeyChecking no\n"
            f'  PasswordAuthentication no\n\n  IdentityFile "{settings["key"]}"\n\n'
            "  IdentitiesOnly yes\n  LogLevel FATAL\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
