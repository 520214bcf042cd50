import pymysql
import pytest

from checks.databases import error_number, words


@pytest.mark.parametrize(
    ("error", "number", "text"),
    [
        (pymysql.err.OperationalError(1290, "read-only"), 1290, "error 1290: read-only"),
        (pymysql.err.InterfaceError("closed"), 0, "InterfaceError: closed"),
    ],
)
def test_errors_are_told_with_their_numbers(
    error: pymysql.err.MySQLError, number: int, text: str
) -> None:
    assert error_number(error) == number
    assert words(error) == text
