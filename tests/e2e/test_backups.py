"""Backups of a live lab, and what is restored from them; the tests are chapters, in this order."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.e2e.kill_runs import NOTHING_CHANGED
from tests.e2e.sandbox import Run, Sandbox, eventually, random_moments
from tests.e2e.traces import Traces

DATABASES = ("web-01", "web-02", "db-03")
SCRATCH = "/var/lib/dbbackup-scratch"
LOOK = f"sudo mysql -N --socket={SCRATCH}/run/mysqld.sock"
ARCHIVE = "/var/backups/quartet"
GTID = re.compile(r"[0-9a-f-]{36}:\d+")
KILLS = 4
SEED = 4


class Marks:
    """A table of numbers that are written one by one, and when."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self.primary = "web-01"

    def create(self) -> None:
        self.sql("CREATE TABLE app.marks (id INT PRIMARY KEY)")

    def sql(self, statement: str) -> str:
        return self._sandbox.ssh(self.primary, f'sudo mysql -N -e "{statement}"')

    def write(self, number: int) -> None:
        self.sql(f"INSERT INTO app.marks VALUES ({number})")  # noqa: S608

    def moment(self) -> str:
        """A moment between two writes, by the whole second that it begins with."""
        before = self._second()
        assert eventually(lambda: self._second() > before, 5)
        moment = self._second()
        assert eventually(lambda: self._second() > moment, 5)
        return f"{moment} UTC"

    @staticmethod
    def _second() -> str:
        return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")

    def wait_until_on(self, machine: str, number: int) -> None:
        query = f"SELECT COUNT(*) FROM app.marks WHERE id = {number}"  # noqa: S608
        command = f"sudo mysql -N -e '{query}'"
        assert eventually(lambda: self._sandbox.ssh(machine, command).strip() == "1")

    def restored(self, machine: str) -> list[int]:
        """The numbers in the scratch server there."""
        query = "SELECT id FROM app.marks ORDER BY id"
        found = self._sandbox.ssh(machine, f"{LOOK} -e '{query}'")
        return [int(line) for line in found.split()]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory, before: Traces) -> Iterator[Sandbox]:
    """A lab of its own, up."""
    made = Sandbox(tmp_path_factory.mktemp("backups"), "backups")
    try:
        run = made.inv("up")
        assert run.code == 0, run.output
        yield made
    finally:
        made.inv("destroy")


@pytest.fixture(scope="module")
def marks(sandbox: Sandbox) -> Marks:
    return Marks(sandbox)


@pytest.fixture(scope="module")
def moments() -> dict[str, str]:
    """Moments that later chapters go back to."""
    return {}


@contextmanager
def kept(sandbox: Sandbox, *words: str) -> Iterator[str]:
    """Restore, with the server kept; which machine it is on."""
    run = succeed(sandbox, "db.restore", "--keep", *words)
    try:
        place = re.search(r"look into it: ./lab ssh (\S+)", run.output)
        assert place, run.output
        yield place[1]
    finally:
        succeed(sandbox, "db.restore", "--drop")


def succeed(sandbox: Sandbox, *words: str) -> Run:
    run = sandbox.inv(*words)
    assert run.code == 0, run.output
    return run


def fail(sandbox: Sandbox, *words: str) -> str:
    """Run a task that must end with one clear error, which is returned."""
    run = sandbox.inv(*words)
    assert run.code == 1, run.output
    assert "Traceback" not in run.output
    return run.output.partition("error: ")[2]


def left_over(sandbox: Sandbox, within_s: float = 0) -> list[str]:
    """What is there of scratch servers and half files, here and on the machines, by then."""
    found: list[str] = []

    def is_clean() -> bool:
        here = (sandbox.folder / "backups").rglob("*.partial")
        found[:] = map(str, here)
        for name in DATABASES:
            found.extend(f"{name}: {line}" for line in _left_on(sandbox, name))
        return not found

    eventually(is_clean, within_s)
    return found


def _left_on(sandbox: Sandbox, machine: str) -> list[str]:
    files = f"sudo find {ARCHIVE} -ignore_readdir_race -name '*.partial'"
    servers = "sudo find /var/lib -maxdepth 1 -name dbbackup-scratch"
    units = "systemctl list-units --plain --no-legend 'dbbackup-scratch*'"
    return sandbox.ssh(machine, f"{files} && {servers} && {units}").splitlines()


def start_backups(sandbox: Sandbox) -> None:
    """Do everywhere what the timer does, to its end."""
    for name in DATABASES:
        sandbox.ssh(name, "sudo systemctl start dbbackup")
        assert "active" in sandbox.ssh(name, "systemctl is-active dbbackup.timer")


def archived(sandbox: Sandbox, machine: str, folder: str) -> set[str]:
    """The files that the machine has in its archive."""
    names = sandbox.ssh(machine, f"sudo ls {ARCHIVE}/{folder}").split()
    return {name for name in names if name.endswith(".age")}


def dump_here(sandbox: Sandbox) -> Path:
    """The newest dump on this computer."""
    return max((sandbox.folder / "backups").glob("*/dumps/*.age"), key=lambda path: path.name)


def test_backup_is_taken_from_a_replica_and_nothing_of_it_is_readable_here(
    sandbox: Sandbox, marks: Marks
) -> None:
    marks.create()
    marks.sql("CREATE TABLE app.words (w TEXT) SELECT 'needle-in-plain-text' AS w")
    run = succeed(sandbox, "db.backup")
    assert "dumping web-02 (replica)" in run.output
    assert dump_here(sandbox).read_bytes().startswith(b"age-encryption.org/v1")
    files = [path for path in sandbox.folder.rglob("*") if path.is_file()]
    assert not [path for path in files if b"needle-in-plain-text" in path.read_bytes()]
    facts = json.loads(Path(f"{dump_here(sandbox)}.json").read_text())
    assert GTID.match(facts["gtid"])
    assert dump_here(sandbox).name in sandbox.ssh("web-02", f"sudo ls {ARCHIVE}/dumps")


def test_restore_to_a_moment_between_two_writes_has_exactly_the_first(
    sandbox: Sandbox, marks: Marks, moments: dict[str, str]
) -> None:
    marks.write(1)
    moments["between"] = marks.moment()
    marks.write(2)
    with kept(sandbox, "--at", moments["between"]) as machine:
        assert marks.restored(machine) == [1]
        listening = sandbox.ssh(machine, "sudo ss -Hlntup")
        assert listening.count("mysqld") == 1, "the scratch server has no network"
    assert not left_over(sandbox)


def test_restore_ends_before_a_transaction_of_the_same_second(
    sandbox: Sandbox, marks: Marks
) -> None:
    marks.sql("INSERT INTO app.marks VALUES (3); INSERT INTO app.marks VALUES (4)")
    with kept(sandbox) as machine:
        assert marks.restored(machine) == [1, 2, 3, 4]
    executed = marks.sql("SELECT @@server_uuid, @@gtid_executed")
    uuid = executed.split()[0]
    last = re.search(rf"{uuid}:1-(\d+)", executed)
    assert last, executed
    with kept(sandbox, "--before-gtid", f"{uuid}:{last[1]}") as machine:
        assert marks.restored(machine) == [1, 2, 3]


def test_restore_after_a_failover_joins_the_histories_of_both_primaries(
    sandbox: Sandbox, marks: Marks, moments: dict[str, str]
) -> None:
    succeed(sandbox, "power-cut", "--limit", "web-01")
    succeed(sandbox, "db.failover")
    marks.primary = next(
        name
        for name in ("web-02", "db-03")
        if sandbox.ssh(name, "sudo mysql -N -e 'SELECT @@super_read_only'").strip() == "0"
    )
    marks.write(5)
    moments["after failover"] = marks.moment()
    marks.write(6)
    with kept(sandbox, "--at", moments["after failover"]) as machine:
        assert marks.restored(machine) == [1, 2, 3, 4, 5]
    with kept(sandbox, "--at", moments["between"]) as machine:
        assert marks.restored(machine) == [1]


def test_backup_is_verified_and_listed(sandbox: Sandbox) -> None:
    succeed(sandbox, "up")
    succeed(sandbox, "db.rejoin", "web-01")
    run = succeed(sandbox, "db.verify-backup")
    name = re.search(r"(\S+)\.sql\.zst\.age: verified, \d+ tables", run.output)
    assert name, run.output
    machine = name[1].partition("-")[2]
    lines = succeed(sandbox, "db.backups").output.splitlines()
    twice = r"\d\d:\d\d:\d\d .*\d\d:\d\d:\d\d"
    assert [line for line in lines if f"here, {machine}" in line and re.search(twice, line)], lines


def test_timer_archives_everywhere_and_one_machine_dumps_once_a_day(
    sandbox: Sandbox, marks: Marks
) -> None:
    start_backups(sandbox)  # so that the timer itself does so no more while this test runs
    replicas = [name for name in DATABASES if name != marks.primary]
    before = {name: archived(sandbox, name, "logs") for name in replicas}
    marks.write(7)
    for name in replicas:
        marks.wait_until_on(name, 7)
    start_backups(sandbox)
    for name in replicas:
        assert archived(sandbox, name, "logs") - before[name], f"{name} has archived no log"
    for name in DATABASES:
        sandbox.ssh(name, f"sudo find {ARCHIVE}/dumps -type f -delete")
    for _ in range(2):
        start_backups(sandbox)
        assert sum(len(archived(sandbox, name, "dumps")) for name in DATABASES) == 1


def test_moment_before_the_first_dump_and_a_strange_one_are_refused(
    sandbox: Sandbox, marks: Marks
) -> None:
    assert "no dump is old enough" in fail(sandbox, "db.restore", "--at", "2020-01-01 00:00:00")
    assert "is still to come" in fail(sandbox, "db.restore", "--at", "2090-01-01 00:00:00")
    assert "is no time" in fail(sandbox, "db.restore", "--at", "yesterday")
    unknown = "01234567-89ab-cdef-0123-456789abcdef:7"
    assert "is in no archive" in fail(sandbox, "db.restore", "--before-gtid", unknown)
    assert not left_over(sandbox)


def test_damaged_file_is_noticed_and_fetched_again(sandbox: Sandbox) -> None:
    path = dump_here(sandbox)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    error = fail(sandbox, "db.restore")
    assert "is damaged" in error
    assert f"rm {path} {path}.json" in error
    path.unlink()
    Path(f"{path}.json").unlink()
    succeed(sandbox, "db.restore")


def test_wrong_key_is_noticed(sandbox: Sandbox) -> None:
    secrets = sandbox.folder / "secrets.json"
    right = secrets.read_text()
    values = json.loads(right)
    other = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
    secrets.write_text(json.dumps(values | {"backup_identity": other}))
    try:
        assert "is not the key" in fail(sandbox, "db.restore")
    finally:
        secrets.write_text(right)
    assert not left_over(sandbox)


def test_full_disk_stops_a_dump_and_keeps_nothing_of_it(sandbox: Sandbox) -> None:
    disk = f"{ARCHIVE}/dumps"
    for name in DATABASES:
        sandbox.ssh(name, f"sudo mount -t tmpfs -o size=128k tmpfs {disk}")
    try:
        assert "is nearly full" in fail(sandbox, "db.backup")
        assert [sandbox.ssh(name, f"sudo ls {disk}") for name in DATABASES] == ["", "", ""]
    finally:
        for name in DATABASES:
            sandbox.ssh(name, f"sudo umount {disk}")


@pytest.mark.parametrize("after_s", random_moments(KILLS, 5.0, SEED))
def test_killed_restore_leaves_nothing(sandbox: Sandbox, after_s: float) -> None:
    was_killed = sandbox.inv_killed("db.restore", after_s=after_s)
    assert was_killed or after_s > 2, "a restore takes longer than that"
    succeed(sandbox, "db.restore")
    assert not left_over(sandbox)


def test_killed_restore_removes_its_server_by_itself(sandbox: Sandbox) -> None:
    assert sandbox.inv_killed("db.restore", after_s=3.5)
    assert not left_over(sandbox, within_s=120)


def test_killed_backup_leaves_nothing(sandbox: Sandbox) -> None:
    for after_s in random_moments(KILLS, 2.5, SEED):
        sandbox.inv_killed("db.backup", after_s=after_s)
    succeed(sandbox, "db.backup")
    assert not left_over(sandbox, within_s=120)  # what archives goes on without its caller


def test_restore_to_a_new_primary_needs_a_word_and_keeps_what_it_replaces(
    sandbox: Sandbox, marks: Marks, moments: dict[str, str]
) -> None:
    at = ("--at", moments["after failover"])
    error = fail(sandbox, "db.restore", "--to-primary", *at)
    assert "--replace" in error
    run = succeed(sandbox, "db.restore", "--to-primary", "--replace", *at)
    assert "older backups are set aside" in run.output
    assert marks.sql("SELECT id FROM app.marks ORDER BY id").split() == ["1", "2", "3", "4", "5"]
    assert "mysql.before-" in sandbox.ssh(marks.primary, "sudo ls /var/lib")
    reclone = re.search(r"provision --reclone (\S+)", run.output)
    assert reclone, run.output
    succeed(sandbox, "provision", "--reclone", reclone[1])
    assert NOTHING_CHANGED.search(succeed(sandbox, "provision").output)
    succeed(sandbox, "verify", "--settle=60")
    succeed(sandbox, "db.verify-backup")
