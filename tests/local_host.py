"""The machine that runs the tests, as a resource's Host: scripts run for real, by sh, not SSH."""

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from provision.connection import CommandFailedError
from provision.resources import Fact, Resource, Snapshot, changed_keys
from provision.resources.facts import parse_answers, script_for


class LocalHost:
    """Runs scripts here; programs in `programs` come before those of the system."""

    name = "here-01"

    def __init__(self, programs: Path | None = None, umask: int = 0o022) -> None:
        self.scripts: list[str] = []
        self._umask = umask
        self._environment = dict(os.environ, LC_ALL="C.UTF-8")
        if programs is not None:
            self._environment["PATH"] = f"{programs}:{os.environ['PATH']}"

    def run(self, script: str, *, stdin: bytes = b"", timeout_s: float = 60) -> str:
        self.scripts.append(script)
        done = subprocess.run(
            ["sh", "-c", script],
            input=stdin,
            capture_output=True,
            timeout=timeout_s,
            umask=self._umask,
            env=self._environment,
            check=False,
        )
        output = done.stdout.decode(errors="surrogateescape")
        if done.returncode != 0:
            errors = done.stderr.decode(errors="surrogateescape")
            raise CommandFailedError(self.name, script, done.returncode, f"{output}\n{errors}")
        return output

    def read(self, facts: Iterable[Fact]) -> Snapshot:
        questions = tuple(facts)
        return parse_answers(questions, self.run(script_for(questions)))

    def changes(self, resource: Resource) -> dict[str, str]:
        """What of the resource is not as it should be."""
        return changed_keys(resource, self.read(resource.facts()))

    def ensure(self, resource: Resource) -> dict[str, str]:
        """Apply a resource where it differs, as a run does, and return what is left to do."""
        changes = self.changes(resource)
        if changes:
            resource.apply(self, changes)
        return self.changes(resource)


def write_program(folder: Path, name: str, script: str) -> Path:
    """Make a small program of that name for LocalHost's PATH."""
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return program
