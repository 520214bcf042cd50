"""Putting right goes on where a part of it fails."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from checks import breaking
from checks.tidying import do_all


def _fail(what: str) -> None:
    raise ValueError(what)


def test_every_step_is_taken_and_every_error_told() -> None:
    done: list[str] = []
    steps = [lambda: _fail("one"), lambda: done.append("two"), lambda: _fail("three")]

    with pytest.raises(ExceptionGroup, match="one; three") as caught:
        do_all(steps)

    assert done == ["two"]
    assert len(caught.value.exceptions) == 2


def test_single_error_is_raised_as_it_is() -> None:
    with pytest.raises(ValueError, match="one"):
        do_all([lambda: _fail("one"), lambda: None])


def test_ctrl_c_ends_it() -> None:
    def press() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        do_all([press, lambda: _fail("not reached")])


class Machines:
    """Machines that take notes; the first web machine can't be reached."""

    webs = replicas = ("a", "b")

    def __init__(self) -> None:
        self.done: list[str] = []

    def root(self, name: str) -> Any:
        def check_output(command: str, *values: str) -> None:
            if (name, values) == ("a", ()):
                raise AssertionError(f"{name}: no connection")
            self.done.append(f"{name}: {command % values if values else command}")

        return SimpleNamespace(check_output=check_output)


def test_one_machine_that_stays_broken_keeps_no_other_from_repair() -> None:
    machines = Machines()

    with pytest.raises(ExceptionGroup, match="no connection"):
        breaking.repair(cast("Any", machines))

    assert machines.done == [
        "b: systemctl start nginx app.socket app.service",
        "b: systemctl start mysql",
        "b: mysql --execute=START REPLICA",
    ]
