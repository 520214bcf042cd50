"""Putting right as much as can be: what fails of it keeps nothing else from being done."""

from collections.abc import Callable, Iterable


def do_all(steps: Iterable[Callable[[], object]]) -> None:
    """Take every step, and raise what went wrong once all are taken; of several errors a group."""
    errors: list[Exception] = []
    for step in steps:
        try:
            step()
        except Exception as error:  # it is raised below
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise ExceptionGroup("; ".join(map(str, errors)), errors)
