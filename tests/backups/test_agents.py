"""Calling the backup programs on a machine."""

from pathlib import Path

import pytest

from provision.backups import agents
from provision.errors import QuartetError
from tests.backups.parts import CONTENT, A, Machine, dump_facts


def test_answer_is_the_line_of_json_among_words_and_signs_of_life() -> None:
    heard: list[str] = []
    machine = Machine("web-02", {"dbbackup": '\nloading\n\n{"a": 1}\n\n'})
    assert agents.ask(machine, "restore", stdin=b"{}", hear=heard.append) == {"a": 1}
    assert heard == ["loading"]
    assert machine.sent == [b"{}"]
    assert machine.scripts[0].endswith("-m dbbackup --beat restore")


def test_refusal_has_what_and_what_to_do() -> None:
    said = "dbbackup: the disk is nearly full\n  next: make room\n"
    with pytest.raises(QuartetError) as caught:
        agents.ask(Machine("web-02", {"dbbackup": (1, said)}), "dump")
    error = caught.value
    assert (error.where, error.what, error.next_step) == (
        "web-02",
        "the disk is nearly full",
        "make room",
    )


def test_machine_without_the_programs_is_told_as_such() -> None:
    said = "sh: 1: cd: can't cd to /srv/dbbackup/current\n"
    with pytest.raises(QuartetError, match="has no backup programs yet"):
        agents.ask(Machine("web-02", {"dbbackup": (2, said)}), "report")


def test_machine_with_older_programs_is_told_as_such() -> None:
    said = '{"server": {}, "dumps": [], "logs": [], "kept": false}\n'
    with pytest.raises(QuartetError, match="has older backup programs"):
        agents.report(Machine("web-02", {"report": said}))


def test_file_is_sent_under_another_name_first(tmp_path: Path) -> None:
    path = tmp_path / "x.sql.zst.age"
    path.write_bytes(CONTENT)
    machine = Machine("web-02", {})
    agents.send(machine, path, "f00")
    assert machine.sent == [CONTENT]
    assert f"cat > {agents.SENT}/f00/x.sql.zst.age.partial" in machine.scripts[0]


def test_report_knows_its_files_by_their_digest() -> None:
    facts = dump_facts(5, f"{A}:1-10")
    report = agents.Report("web-02", {"role": "replica", "usable": True}, [facts], [])
    assert report.has(facts)
    assert not report.has({**facts, "sha256": "another"})
    assert report.is_usable
