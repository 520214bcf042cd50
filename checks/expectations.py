"""How a check says what it expected and what it found instead."""

from typing import Any

from provision.topology import Machine


class UnmetError(AssertionError):
    """An expectation that does not hold; `machine` and `look` are set where the check knows better.

    `machine` is the name of the one at fault, `look` a command to run there as root.
    """

    def __init__(self, expected: str, found: object, machine: str = "", look: str = "") -> None:
        super().__init__(f"expected {expected}; found {found}")
        self.expected = expected
        self.found = str(found)
        self.machine = machine
        self.look = look


class NotAnsweringError(UnmetError):
    """A machine or a service on it does not answer, so that nothing else of it can be checked."""


def expect(
    holds: bool,
    *,
    expected: str,
    found: object,
    at: Machine | None = None,
    look: str = "",
) -> None:
    """Raise UnmetError unless it holds."""
    __tracebackhide__ = True
    if not holds:
        raise UnmetError(expected, found, at.name if at else "", look)


def expect_equal(
    what: str, found: object, expected: object, at: Machine | None = None, look: str = ""
) -> None:
    """Raise UnmetError unless the two are equal; of mappings it shows what differs."""
    __tracebackhide__ = True
    holds = found == expected
    if isinstance(found, dict) and isinstance(expected, dict):
        expected, found = _differing(expected, found), _differing(found, expected)
    expect(
        holds,
        expected=f"{what}: {shown(expected)}",
        found=shown(found),
        at=at,
        look=look,
    )


def _differing(one: dict[Any, Any], other: dict[Any, Any]) -> dict[Any, Any]:
    keys = {*one, *other}
    return {key: one.get(key) for key in keys if one.get(key) != other.get(key)}


def shown(value: object) -> str:
    """Return a value as a person writes it; sets and mappings in a fixed order."""
    if isinstance(value, dict):
        return ", ".join(f"{key}: {shown(each)}" for key, each in sorted(value.items())) or "none"
    if isinstance(value, (set, frozenset)):
        return ", ".join(sorted(shown(each) for each in value)) or "none"
    if isinstance(value, (list, tuple)):
        return " ".join(shown(each) for each in value) or "none"
    return "nothing" if value in (None, "") else str(value)
