"""The same thing for several machines at once."""

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from provision.errors import QuartetError

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Call a function for all items at once and return their results in order.

    Every call is waited for; then, if any failed, one QuartetError tells of all that did. The
    threads are daemons so that an interrupt from the keyboard isn't held up by a wait in one.
    """
    results: dict[int, Result] = {}
    errors: dict[int, BaseException] = {}

    def work(index: int) -> None:
        try:
            results[index] = function(items[index])
        except BaseException as error:
            errors[index] = error

    threads = [threading.Thread(target=work, args=(i,), daemon=True) for i in range(len(items))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise _joined([errors[index] for index in sorted(errors)])
    return [results[index] for index in range(len(items))]


def _joined(errors: Sequence[BaseException]) -> BaseException:
    known = [error for error in errors if isinstance(error, QuartetError)]
    if len(errors) == 1 or len(known) < len(errors):
        return next((error for error in errors if not isinstance(error, QuartetError)), errors[0])
    where = ", ".join(error.where for error in known)
    if len({error.what for error in known}) == 1:
        return QuartetError(where, known[0].what, known[0].next_step)
    return QuartetError(
        where, "; ".join(f"{error.where} {error.what}" for error in known), known[0].next_step
    )
