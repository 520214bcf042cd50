import io
from dataclasses import replace

from rich.console import Console

from checks.results import Result, command
from checks.summary import show

PASSED = Result("web", "web-01", "serves files", "checks/test_nginx.py::test_a", "passed")
FAILED = replace(
    PASSED, machine="web-02", outcome="failed", expected="304", found="[200]", look="./lab x"
)


def rendered(*results: Result, left_out: int = 0) -> str:
    out = io.StringIO()
    console = Console(file=out, width=100)
    show(console, results, ["web-01", "web-02"], seconds=1.5, left_out=left_out)
    return out.getvalue()


def test_all_well_is_one_table_and_one_line() -> None:
    text = rendered(PASSED)

    assert "1 checks passed in 1.5 s." in text
    assert "FAILED" not in text


def test_failure_says_machine_expected_found_and_what_to_look_at() -> None:
    text = rendered(PASSED, FAILED)

    assert "FAILED web-02: serves files" in text
    for line in ("expected  304", "found     [200]", "look at   ./lab x"):
        assert line in text
    assert "1 of 2 checks failed" in text


def test_failures_of_one_reason_are_told_once_and_counted() -> None:
    text = rendered(FAILED, FAILED, FAILED)

    assert text.count("FAILED") == 1
    assert "3 checks failed for this reason." in text


def test_what_did_not_run_is_told_with_its_reason() -> None:
    text = rendered(PASSED, replace(PASSED, outcome="skipped", found="web-02 did not answer"))

    assert "1 check was not run: web-02 did not answer" in text


def test_disruptive_checks_that_were_left_out_are_told() -> None:
    assert "18 disruptive checks were left out" in rendered(PASSED, left_out=18)


def test_no_check_at_all_is_no_success() -> None:
    assert "Nothing was checked." in rendered()


def test_command_is_one_argument_where_the_machines_shell_has_work() -> None:
    assert command("journalctl -u nginx", "web-01") == "./lab ssh web-01 sudo journalctl -u nginx"
    assert command("mysql -e 'A' | grep B", "db") == "./lab ssh db \"sudo mysql -e 'A' | grep B\""
    assert command("./lab status", "web-01") == "./lab status"
