import pytest

from checks.expectations import UnmetError, expect, expect_equal, shown


def test_what_holds_passes_silently() -> None:
    expect(True, expected="this", found="this")
    expect_equal("it", {1, 2}, {2, 1})


def test_failure_carries_expected_and_found() -> None:
    with pytest.raises(UnmetError, match="expected mode: 600 root; found 644 root") as caught:
        expect_equal("mode", ("644", "root"), ("600", "root"))

    assert caught.value.found == "644 root"


def test_of_mappings_only_the_difference_is_shown() -> None:
    with pytest.raises(UnmetError) as caught:
        expect_equal("roles", {"a": 1, "b": 2, "d": 4}, {"a": 1, "b": 3})

    assert caught.value.expected == "roles: b: 3, d: nothing"
    assert caught.value.found == "b: 2, d: 4"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "nothing"), ("", "nothing"), ({"b", "a"}, "a, b"), (set(), "none"), ([], "none")],
)
def test_values_are_shown_as_a_person_writes_them(value: object, text: str) -> None:
    assert shown(value) == text
