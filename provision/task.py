"""A task about a system: it also takes --topology and --provider, and reports errors in full."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from invoke.context import Context
from invoke.tasks import Task, task

from provision.console import reports_errors
from provision.system import System

SHARED_HELP = {
    "topology": "the file that describes the system; default: topology.yml",
    "provider": "where machines come from: nspawn, virtualbox or libvirt; default: who has some,"
    " or what the file says",
}


def system_task(
    *,
    help: Mapping[str, str] | None = None,  # noqa: A002 the word that Invoke has for it
    positional: Sequence[str] = (),
) -> Callable[[Callable[..., None]], "Task[Any]"]:
    """Make a task of a function whose first parameter is the System that it is about."""

    def decorate(action: Callable[..., None]) -> "Task[Any]":
        @functools.wraps(action)
        def body(_: Context, topology: str = "", provider: str = "", **options: Any) -> None:
            reporting = reports_errors(action, topology)
            reporting(System(topology, provider), **options)

        own = list(inspect.signature(action).parameters.values())[1:]
        outer = list(inspect.signature(body, follow_wrapped=False).parameters.values())[:3]
        shared = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in outer[1:]]
        body.__signature__ = inspect.Signature([outer[0], *own, *shared])  # type: ignore[attr-defined]
        made: Any = task(body, help={**SHARED_HELP, **(help or {})}, positional=positional or None)
        return cast("Task[Any]", made)

    return decorate
