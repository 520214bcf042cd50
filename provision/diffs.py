"""Diffs: what a plan would change in files, with every secret masked."""

import base64
import difflib
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from provision.plan import Step
from provision.resources import File, Host, stamps

MASK = "********"


def file_diffs(host: Host, steps: Sequence[Step]) -> dict[str, str]:
    """Unified diffs of the files whose content would change, by path; one round trip."""
    files = [
        step.resource
        for step in steps
        if isinstance(step.resource, File) and {"sha256", "type"} & set(step.changes)
    ]
    live = _live_files(host, [file.path for file in files if not file.secret])
    return {file.path: _diff(file, live.get(file.path, _Live())) for file in files}


@dataclass(frozen=True)
class _Live:
    """A file as it is, and whether a copy of it is going to be kept."""

    content: str = ""
    is_kept: bool = False


def _live_files(host: Host, paths: Sequence[str]) -> dict[str, _Live]:
    if not paths:
        return {}
    script = (
        f'for path in {shlex.join(paths)}; do [ ! -f "$path" ] ||'
        f' printf "%s\\t%s\\t%s\\n" "$path" "$({stamps.keeps("path")} && echo kept)"'
        ' "$(base64 -w0 -- "$path")"; done'
    )
    lines = [line.split("\t") for line in host.run(script).splitlines()]
    return {
        path: _Live(base64.b64decode(text).decode(errors="replace"), kept == "kept")
        for path, kept, text in lines
    }


def _diff(file: File, live: _Live) -> str:
    if file.secret:
        return f"{file.path}: (secret, not shown)\n"
    old, new = mask(live.content, file), mask(file.content, file)
    kept = f", to be kept as {file.path}{stamps.KEPT}" if live.is_kept else ""
    lines = difflib.unified_diff(
        old.splitlines(keepends=True),
        new.splitlines(keepends=True),
        fromfile=f"{file.path} (live{kept})",
        tofile=f"{file.path} (new)",
    )
    text = "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
    return text or f"{file.path}: a secret in it changes\n"


def mask(text: str, file: File) -> str:
    """Hide the file's secrets, and what stands in their place in an older version of it."""
    openings = [
        line.partition(secret)[0]
        for secret in file.secrets
        for line in file.content.splitlines()
        if secret in line
    ]
    masked = "".join(_mask_line(line, openings) for line in text.splitlines(keepends=True))
    for secret in file.secrets:
        masked = masked.replace(secret, MASK)
    return masked


def _mask_line(line: str, openings: Sequence[str]) -> str:
    for opening in openings:
        if opening and line.startswith(opening):
            return f"{opening}{MASK}\n"
    return line
