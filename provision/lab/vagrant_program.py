"""The program `vagrant`, asked through python-vagrant, for one topology and one provider.

Vagrant runs where the Vagrantfile lies, and keeps what it notes beside the topology file. What it
says on standard output goes to the terminal as it comes; what it says last on standard error is
told where it fails.
"""

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, Any, TypeVar

from provision.errors import QuartetError
from provision.lab.base import MachineState
from provision.lab.choice import vagrant_folder
from provision.lab.command import tail
from provision.topology import Topology

ROOT = Path(__file__).parents[2]
PACKAGES = {"virtualbox": "vagrant virtualbox", "libvirt": "vagrant vagrant-libvirt"}

Answer = TypeVar("Answer")


class VagrantError(QuartetError):
    """Vagrant ended with another status than 0."""


@dataclass(frozen=True)
class VagrantProgram:
    """Vagrant's commands for machines by name; what they make is in `folder`."""

    topology: Topology
    provider: str

    @property
    def folder(self) -> Path:
        """Where Vagrant notes its machines' ids, as provision.lab.choice looks for them."""
        return vagrant_folder(self.topology)

    def up(self, names: Sequence[str]) -> None:
        """Create what is absent and boot what is stopped."""
        self._run(lambda vagrant: vagrant.up(target(names), provider=self.provider))

    def halt(self, names: Sequence[str], *, force: bool = False) -> None:
        """Shut machines down; `force` pulls the plug."""
        self._run(lambda vagrant: vagrant.halt(target(names), force=force))

    def reload(self, names: Sequence[str]) -> None:
        """Shut machines down and boot them with what the Vagrantfile says now."""
        self._run(lambda vagrant: vagrant.reload(target(names), provision=False))

    def destroy(self, names: Sequence[str]) -> None:
        """Remove machines with their disks."""
        self._run(lambda vagrant: vagrant.destroy(target(names)))

    def destroy_strays(self, names: Sequence[str]) -> None:
        """Remove machines that the topology has no longer, which Vagrant would not find there."""
        unused = str(self.topology.network.broadcast_address - 1)
        described = {
            "name": self.topology.name,
            "network": str(self.topology.network),
            "machines": {name: {"address": unused} for name in names},
        }
        with TemporaryDirectory() as folder:
            path = Path(folder) / "topology.yml"
            path.write_text(json.dumps(described))
            self._run(lambda vagrant: vagrant.destroy(target(names)), path)

    def states(self) -> dict[str, MachineState]:
        """Ask what each machine is doing; the hypervisor is asked, which takes seconds."""
        said = self._run(lambda vagrant: vagrant.status())
        found = {each.name: state_of(each.state, self.provider) for each in said}
        names = [machine.name for machine in self.topology.machines]
        return {name: found.get(name, MachineState.ABSENT) for name in names}

    def ssh_config(self, names: Sequence[str]) -> str:
        """Ask how to log in to machines, in one call; VagrantError where one doesn't run."""
        text: str = self._run(lambda vagrant: vagrant.ssh_config(target(names)))
        return text

    def _run(self, command: Callable[[Any], Answer], topology: Path | None = None) -> Answer:
        require_vagrant(self.provider)
        # Imported late: without the program, python-vagrant complains as soon as it is imported.
        import vagrant  # noqa: PLC0415

        untyped: Any = vagrant
        environment = self._environment(topology or self.topology.path)
        with TemporaryFile("w+", errors="replace") as errors:
            program = untyped.Vagrant(
                str(ROOT), env=environment, out_cm=untyped.none_cm, err_cm=lambda: _lent(errors)
            )
            try:
                return command(program)
            except subprocess.CalledProcessError as error:
                errors.seek(0)
                raise _failure(error, errors.read(), self.provider) from error

    def _environment(self, topology: Path) -> dict[str, str]:
        return {
            **os.environ,
            "QUARTET_TOPOLOGY": str(topology.absolute()),
            "VAGRANT_DEFAULT_PROVIDER": self.provider,
            "VAGRANT_DOTFILE_PATH": str(self.folder.absolute()),
        }


def require_vagrant(provider: str) -> None:
    """Raise QuartetError where the program is missing."""
    if shutil.which("vagrant") is None:
        raise QuartetError(
            "this host",
            "vagrant is not installed",
            f"apt-get install {PACKAGES[provider]}, then ./lab doctor, which says what else is"
            " missing",
        )


def target(names: Sequence[str]) -> str:
    """Name one machine, or several as the regular expression that Vagrant takes in their place.

    https://developer.hashicorp.com/vagrant/docs/multi-machine#controlling-multiple-machines
    """
    return names[0] if len(names) == 1 else f"/^({'|'.join(names)})$/"


def state_of(word: str | None, provider: str) -> MachineState:
    """Translate Vagrant's word for a state, of which each provider has some of its own.

    vagrant-libvirt calls a machine inaccessible that runs and has no address yet.
    """
    if word == "running" or (word == "inaccessible" and provider == "libvirt"):
        return MachineState.RUNNING
    if word in {None, "not_created", "preparing"}:
        return MachineState.ABSENT
    return MachineState.STOPPED


@contextmanager
def _lent(file: IO[str]) -> Iterator[IO[str]]:
    yield file


def _failure(error: subprocess.CalledProcessError, said: str, provider: str) -> VagrantError:
    command = shlex.join(["vagrant", *error.cmd[1:]])
    what = tail(said) or "it said nothing on standard error"
    return VagrantError(
        "vagrant",
        f"`{command}` ended with {error.returncode}: {what}",
        f"mend that and run the same again; ./lab doctor looks at what {provider} needs",
    )
