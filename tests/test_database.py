"""The data tier's commands, with agents that answer from memory."""

import json
import re
import shlex
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from rich.console import Console

from provision import database_table
from provision.connection import CommandFailedError, UnreachableError
from provision.database import Databases, View
from provision.database_table import print_databases
from provision.errors import QuartetError
from provision.fleet import Fleet
from tests.site_parts import TOPOLOGY

NAMES = [machine.name for machine in TOPOLOGY.databases]
ROLES = {"web-01": "primary", "web-02": "replica", "db-03": "replica"}


def server(name: str, role: str, **facts: Any) -> dict[str, Any]:
    """A server as `dbagent status` shows it."""
    answers = role != "unreachable"
    address = str(TOPOLOGY.machine(name).address)
    link = {"source": "192.168.56.11", "receiver": "ON", "applier": "ON"}
    none = {"source": "", "receiver": "OFF", "applier": "OFF"}
    return {
        "name": name,
        "address": address,
        "answers": answers,
        "role": role,
        "agent": answers,
        "closed_because": "",
        "executed": "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-9" if answers else "",
        "lacks": 0 if answers else None,
        "lag_s": 0.0,
        "unapplied": 0,
        "errant": "",
        "semi_sync_source": role == "primary",
        "semi_sync_clients": 2 if role == "primary" else 0,
        "error": "",
        **(link if role == "replica" else none),
        **facts,
    }


def status(roles: Mapping[str, str], primary: str | None = "web-01") -> dict[str, Any]:
    """What an agent says that sees these roles."""
    return {
        "primary": primary,
        "candidate": "web-02",
        "problem": "",
        "automatic": False,
        "max_lag_s": 5,
        "acknowledgements": 1,
        "servers": [server(name, role) for name, role in roles.items()],
    }


class Host:
    """A database machine whose agent has an answer for each command."""

    def __init__(self, name: str, answers: dict[str, Any]) -> None:
        self.name = name
        self.answers = answers
        self.commands: list[list[str]] = []

    def run(self, script: str, *, timeout_s: float = 60, alone: bool = True) -> str:
        words = shlex.split(script)
        self.commands.append(words)
        if words[0] == "cat":
            return "BINLOG '...';\n"
        assert words[0] == "/usr/local/sbin/dbagent"
        assert not alone, "the agent has a lock of its own"
        answer = self.answers[words[1]]
        if isinstance(answer, str) or "error" in answer:
            text = answer if isinstance(answer, str) else json.dumps(answer)
            raise CommandFailedError(self.name, script, 2 if "usage" in text else 1, text)
        return json.dumps(answer) + "\n"


class Tier:
    """All database machines; those that are `off` can't be reached."""

    def __init__(self) -> None:
        self.hosts = {name: Host(name, {"status": status(ROLES)}) for name in NAMES}
        self.off: set[str] = set()

    def __getitem__(self, name: str) -> Host:
        return self.hosts[name]

    def reachable(
        self, names: Collection[str], patience_s: float
    ) -> dict[str, QuartetError | None]:
        return {n: UnreachableError(n, "is off") if n in self.off else None for n in names}

    def each(
        self, arguments: Mapping[str, Any], action: Callable[[Any, Any], Any]
    ) -> dict[str, Any]:
        return {name: self._do(name, each, action) for name, each in arguments.items()}

    def _do(self, name: str, argument: Any, action: Callable[[Any, Any], Any]) -> Any:
        if name in self.off:
            return UnreachableError(name, "is off")
        try:
            return action(self[name], argument)
        except QuartetError as error:
            return error

    def see(self, roles: Mapping[str, str], primary: str | None = "web-01") -> None:
        """From now on all agents see this."""
        for host in self.hosts.values():
            host.answers["status"] = status(roles, primary)

    def answer(self, command: str, answer: Any, *names: str) -> None:
        for name in names or NAMES:
            self[name].answers[command] = answer

    def ran(self, command: str) -> list[tuple[str, list[str]]]:
        """Where this command was run, and with what words behind it."""
        return [
            (name, words[2 : words.index("--by") if "--by" in words else None])
            for name, host in self.hosts.items()
            for words in host.commands
            if words[1] == command
        ]


@pytest.fixture
def tier() -> Tier:
    return Tier()


@pytest.fixture
def databases(tier: Tier, tmp_path: Path) -> Databases:
    return Databases(TOPOLOGY, cast("Fleet", tier), tmp_path)


class TestStatus:
    def test_view_of_who_sees_most_is_shown(self, tier: Tier, databases: Databases) -> None:
        partial = ROLES | {"web-02": "unreachable", "db-03": "unreachable"}
        tier.answer("status", status(partial), "web-01")
        view = databases.status()
        assert (view.machine, view.answering) == ("web-02", 3)

    def test_one_machine_is_enough(self, tier: Tier, databases: Databases) -> None:
        tier.off = {"web-01", "db-03"}
        assert databases.status().machine == "web-02"

    def test_where_nobody_can_be_asked_every_reason_is_told(
        self, tier: Tier, databases: Databases
    ) -> None:
        tier.off = {"web-01", "web-02"}
        tier.answer("status", "dbagent: not found")
        with pytest.raises(QuartetError, match="no database machine can be asked") as caught:
            databases.status()
        assert [name for name in NAMES if f"- {name}: " in caught.value.what] == NAMES
        assert caught.value.next_step == "./lab status, then ./lab up"


class TestSwitchover:
    def test_it_says_what_was_done_and_how_long_writers_waited(
        self, tier: Tier, databases: Databases, capsys: pytest.CaptureFixture[str]
    ) -> None:
        done = {"primary": "web-02", "told": ["web-01 follows web-02"], "pause_s": 0.256}
        tier.answer("switchover", done)
        databases.switchover("web-02")
        assert [words for _, words in tier.ran("switchover")] == [["--to", "web-02"]]
        said = capsys.readouterr().out
        assert "web-01 follows web-02" in said
        assert "web-02 is the primary" in said
        assert "writes waited for 0.26 s" in said

    def test_without_a_name_the_agent_chooses(self, tier: Tier, databases: Databases) -> None:
        tier.answer("switchover", {"primary": "web-02", "told": [], "pause_s": None})
        databases.switchover("")
        assert [words for _, words in tier.ran("switchover")] == [[]]

    @pytest.mark.parametrize("name", ["lb-01", "nope"])
    def test_machine_without_a_database_is_refused_before_anybody_is_asked(
        self, tier: Tier, databases: Databases, name: str
    ) -> None:
        with pytest.raises(QuartetError, match=f"{name}: is no database machine") as caught:
            databases.switchover(name)
        assert caught.value.next_step == "pick one of web-01, web-02, db-03"
        assert not any(host.commands for host in tier.hosts.values())

    def test_agents_refusal_is_the_error_that_a_person_reads(
        self, tier: Tier, databases: Databases
    ) -> None:
        told = {"where": "web-02", "what": "can't take over", "next": "mend that first"}
        tier.answer("switchover", {"error": told})
        with pytest.raises(QuartetError) as caught:
            databases.switchover("web-02")
        assert str(caught.value) == "web-02: can't take over\n  next: mend that first"

    @pytest.mark.parametrize("output", ["Traceback …", "", "[]", "{}"])
    def test_failure_without_such_words_shows_the_command(
        self, tier: Tier, databases: Databases, output: str
    ) -> None:
        tier.answer("switchover", output)
        with pytest.raises(CommandFailedError, match="dbagent switchover"):
            databases.switchover("")

    def test_agent_is_told_who_asks(self, tier: Tier, databases: Databases) -> None:
        tier.answer("switchover", {"primary": "web-02", "told": [], "pause_s": None})
        databases.switchover("")
        [words] = [w for h in tier.hosts.values() for w in h.commands if w[1] == "switchover"]
        assert re.fullmatch(r"\S+ on \S+", words[words.index("--by") + 1])


class TestFailover:
    @pytest.fixture(autouse=True)
    def dead_primary(self, tier: Tier) -> None:
        tier.see(ROLES | {"web-01": "unreachable"})
        tier.answer("failover", {"primary": "web-02", "told": [], "pause_s": None})
        tier.answer("fence", {"told": ["web-01 is read-only now"]})

    def test_it_is_done_by_another_machine_than_the_old_primarys(
        self, tier: Tier, databases: Databases
    ) -> None:
        databases.failover()
        [(machine, _)] = tier.ran("failover")
        assert machine != "web-01"

    def test_old_primary_that_can_be_reached_is_closed_first(
        self, tier: Tier, databases: Databases, capsys: pytest.CaptureFixture[str]
    ) -> None:
        databases.failover()
        assert [name for name, _ in tier.ran("fence")] == ["web-01"]
        assert [words for _, words in tier.ran("failover")] == [["--fenced"]]
        assert "web-01 is read-only now" in capsys.readouterr().out

    def test_one_that_is_off_is_not_closed(self, tier: Tier, databases: Databases) -> None:
        tier.off = {"web-01"}
        databases.failover()
        assert tier.ran("fence") == []
        assert tier.ran("failover") == [("web-02", ["--off", "web-01"])]

    def test_one_that_is_off_is_replaced_without_asking_who_is_primary(
        self, tier: Tier, databases: Databases
    ) -> None:
        tier.off = {"web-01"}
        databases.failover()
        assert tier.ran("status") == []

    def test_where_another_one_is_off_the_primary_is_closed_first(
        self, tier: Tier, databases: Databases
    ) -> None:
        tier.off = {"db-03"}
        tier.answer("failover", {"primary": "", "told": [], "pause_s": None}, "web-01")
        databases.failover()
        assert [name for name, _ in tier.ran("fence")] == ["web-01"]
        assert ("web-02", ["--fenced"]) in tier.ran("failover")

    def test_refusal_of_the_agent_is_told_once(self, tier: Tier, databases: Databases) -> None:
        tier.off = {"web-01"}
        told = {"where": "db-03", "what": "is primary, but", "next": "./lab db.rejoin web-01"}
        tier.answer("failover", {"error": told})
        with pytest.raises(QuartetError, match="is primary, but"):
            databases.failover()
        assert len(tier.ran("failover")) == 1

    @pytest.mark.parametrize(
        "trouble",
        ["killed", {"error": {"where": "web-02", "what": "sees too few", "next": "again"}}],
    )
    def test_machine_that_sees_less_is_not_the_last_word(
        self, tier: Tier, databases: Databases, trouble: Any
    ) -> None:
        tier.off = {"web-01"}
        alone = dict.fromkeys(NAMES, "unreachable") | {"web-02": "replica"}
        tier["web-02"].answers["status"] = status(alone)
        tier.answer("failover", trouble, "web-02")
        databases.failover()
        assert tier.ran("failover") == [("web-02", ["--off", "web-01"]), ("db-03", [])]

    def test_agent_of_an_earlier_release_is_asked_as_before(
        self, tier: Tier, databases: Databases
    ) -> None:
        tier.off = {"web-01"}
        tier.answer("failover", "usage: dbagent [-h]; unrecognized arguments: --off web-01")
        with pytest.raises(QuartetError, match="unrecognized arguments"):
            databases.failover()
        assert tier.ran("failover") == [("web-02", ["--off", "web-01"]), ("web-02", [])]

    def test_one_that_can_not_be_closed_is_left_to_the_agents(
        self, tier: Tier, databases: Databases, capsys: pytest.CaptureFixture[str]
    ) -> None:
        tier.answer("fence", "it hangs", "web-01")
        databases.failover()
        assert [words for _, words in tier.ran("failover")] == [[]]
        assert "web-01 could not be closed over SSH" in capsys.readouterr().out

    def test_one_that_is_alive_for_the_others_is_not_closed(
        self, tier: Tier, databases: Databases
    ) -> None:
        """The agent refuses then: this is a case for a switchover."""
        tier.see(ROLES)
        told = {"where": "web-01", "what": "takes writes", "next": "./lab db.switchover"}
        tier.answer("failover", {"error": told})
        with pytest.raises(QuartetError, match="takes writes"):
            databases.failover()
        assert tier.ran("fence") == []

    def test_nobody_may_be_known_as_the_primary(self, tier: Tier, databases: Databases) -> None:
        tier.see(dict.fromkeys(NAMES, "fenced"), primary=None)
        databases.failover()
        assert tier.ran("fence") == []
        assert len(tier.ran("failover")) == 1


class TestRejoin:
    def test_it_is_done_on_the_machine_itself(self, tier: Tier, databases: Databases) -> None:
        tier.answer("rejoin", {"told": ["it follows web-02"], "saved": None})
        databases.rejoin("db-03")
        assert [name for name, _ in tier.ran("rejoin")] == ["db-03"]

    def test_own_transactions_are_brought_here_for_the_owner_alone(
        self,
        tier: Tier,
        databases: Databases,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        saved = "/var/lib/dbagent/errant/20260101-000000.sql"
        tier.answer("rejoin", {"told": [], "saved": saved})
        databases.rejoin("db-03")
        [copy] = (tmp_path / "errant").iterdir()
        assert copy.name == "db-03-20260101-000000.sql"
        assert copy.read_text() == "BINLOG '...';\n"
        assert copy.stat().st_mode & 0o077 == 0
        assert str(copy) in capsys.readouterr().out.replace("\n", "")


class TestTable:
    @pytest.fixture(autouse=True)
    def wide_console(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(database_table, "make_console", lambda: Console(width=200))

    @staticmethod
    def _lines(data: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> list[str]:
        print_databases(View("web-01", data))
        return capsys.readouterr().out.splitlines()

    def test_all_well(self, capsys: pytest.CaptureFixture[str]) -> None:
        lines = self._lines(status(ROLES), capsys)
        assert re.search(r"web-01 +primary +3e11fa47…:1-9 +0 +waits, 2 acknowledge", lines[1])
        assert re.search(r"web-02 +replica .* 0\.0 s +acknowledges +would be promoted", lines[2])
        summary = "primary: web-01; a write needs 1 acknowledgement(s); failover by command"
        assert lines[-1].startswith(summary)

    @pytest.mark.parametrize(
        ("facts", "remark"),
        [
            ({"error": "duplicate key"}, "duplicate key"),
            ({"applier": "OFF"}, "receiver ON, applier OFF"),
            ({"unapplied": 7}, "7 received and not applied"),
            ({"agent": False}, "its agent does not answer"),
            ({"closed_because": "its disk is full"}, "closed itself: its disk is full"),
            ({"source": "192.168.56.12"}, "follows 192.168.56.12: ./lab db.rejoin db-03"),
        ],
    )
    def test_what_is_wrong_with_a_server_is_remarked(
        self, facts: dict[str, Any], remark: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        data = status(ROLES)
        data["servers"][2] |= facts
        assert remark in self._lines(data, capsys)[3]

    def test_dead_primary_is_named_though_nobody_takes_writes(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        lines = self._lines(status(ROLES | {"web-01": "unreachable"}), capsys)
        assert "nobody takes writes; the replicas follow web-01" in lines[-1]

    def test_split_brain_is_told_below(self, capsys: pytest.CaptureFixture[str]) -> None:
        data = status(ROLES, primary=None) | {"problem": "both take writes (split brain)"}
        assert "split brain" in self._lines(data, capsys)[-1]

    def test_automatic_failover_is_told(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert self._lines(status(ROLES) | {"automatic": True}, capsys)[-1].endswith("automatic")
