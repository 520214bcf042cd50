"""Lock, ownership, recipes, waiting, and doing things side by side."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from provision.errors import QuartetError
from provision.lab.lock import lab_lock
from provision.lab.ownership import claim
from provision.lab.parallel import side_by_side
from provision.lab.recipe import Recipe
from provision.polling import is_reached

RECIPE = Recipe("sid", "http://archive.test/debian", ("nginx",), False, False, "")


def test_lock_tells_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "lab.lock"
    with (
        lab_lock(path, "up"),
        pytest.raises(QuartetError, match=r"busy: up by .*, process .*, since"),
        lab_lock(path, "destroy"),
    ):
        pass


def test_lock_is_free_again_afterwards(tmp_path: Path) -> None:
    for action in ("up", "destroy"):
        with lab_lock(tmp_path / "lab.lock", action):
            pass
    assert (tmp_path / "lab.lock").read_text() == ""


def with_a_machine(home: Path) -> Path:
    (home / "machines/web-01").mkdir(parents=True)
    return home / "machines"


def test_second_checkout_may_not_share_a_lab(tmp_path: Path) -> None:
    first, second = tmp_path / "one.yml", tmp_path / "two.yml"
    first.touch()
    machines = with_a_machine(tmp_path)
    claim(tmp_path / "owner", first, machines)
    claim(tmp_path / "owner", first, machines)
    with pytest.raises(QuartetError, match=r"one\.yml"):
        claim(tmp_path / "owner", second, machines)


def test_lab_of_a_checkout_that_is_gone_can_be_taken_over(tmp_path: Path) -> None:
    machines = with_a_machine(tmp_path)
    claim(tmp_path / "owner", tmp_path / "gone.yml", machines)
    claim(tmp_path / "owner", tmp_path / "two.yml", machines)
    assert (tmp_path / "owner").read_text() == f"{tmp_path / 'two.yml'}\n"


def test_lab_without_machines_can_be_taken_over(tmp_path: Path) -> None:
    (tmp_path / "one.yml").touch()
    claim(tmp_path / "owner", tmp_path / "one.yml", tmp_path / "machines")
    claim(tmp_path / "owner", tmp_path / "two.yml", tmp_path / "machines")
    assert (tmp_path / "owner").read_text() == f"{tmp_path / 'two.yml'}\n"


@pytest.mark.parametrize(
    "other",
    [
        replace(RECIPE, suite="noble"),
        replace(RECIPE, mirror="http://other.test/debian"),
        replace(RECIPE, packages=("nginx", "haproxy")),
        replace(RECIPE, ignores_age=True),
        replace(RECIPE, certificates="abc"),
    ],
)
def test_other_ingredients_make_another_image(other: Recipe) -> None:
    assert other.key != RECIPE.key
    assert replace(other).key == other.key


def test_images_with_different_packages_share_their_base() -> None:
    assert replace(RECIPE, packages=("haproxy",)).base.key == RECIPE.base.key


def test_side_by_side_keeps_the_order_of_its_items() -> None:
    barrier = threading.Barrier(3, timeout=5)

    def work(item: int) -> int:
        barrier.wait()
        return item * 2

    assert side_by_side(work, [1, 2, 3]) == [2, 4, 6]


def test_side_by_side_tells_of_every_failure() -> None:
    def work(item: str) -> None:
        if item != "lb-01":
            raise QuartetError(item, f"is {item[-1]}")

    with pytest.raises(QuartetError, match="web-01, web-02: web-01 is 1; web-02 is 2"):
        side_by_side(work, ["lb-01", "web-01", "web-02"])


def test_side_by_side_tells_once_what_failed_everywhere() -> None:
    def work(item: str) -> None:
        raise QuartetError(item, "is down")

    with pytest.raises(QuartetError, match=r"^web-01, web-02: is down$"):
        side_by_side(work, ["web-01", "web-02"])


def test_wait_ends_with_its_condition() -> None:
    answers = iter([False, False, True])
    assert is_reached(lambda: next(answers), within_s=5, poll_s=0)


def test_wait_ends_with_its_deadline() -> None:
    assert not is_reached(lambda: False, within_s=0.05, poll_s=0.01)
