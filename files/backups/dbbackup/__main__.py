"""The commands: `python3 -m dbbackup --help`. Answers are one line of JSON on standard output."""

import argparse
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dbbackup import choice, ending, install, scratch, sent
from dbbackup.archive import archive
from dbbackup.checksums import checksums
from dbbackup.config import Config
from dbbackup.dump import take
from dbbackup.failures import BackupError
from dbbackup.moments import from_text, last_due, now
from dbbackup.restore import Request, restore
from dbbackup.sql import Server
from dbbackup.store import Store

LOCK = Path("/run/lock/dbbackup.lock")
HEARTBEAT_S = 2
END_WITH_CALLER = {"dump", "restore", "sums"}
Answer = Mapping[str, Any] | list[Any]


@contextmanager
def written_to(config: Config) -> Iterator[Store]:
    """The archive, with nobody else writing to it; what was left over is gone."""
    with LOCK.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        store = Store()
        store.clean()
        yield store
        store.prune(config.keep_days, now())


def tick(config: Config, _: argparse.Namespace) -> Answer:
    """Archive what is new, dump if that is due here, and remove what is left over or too old."""
    server = Server()
    done: list[Any] = []
    _remove_left_over()
    with written_to(config) as store:
        if not choice.health(server)["answers"]:
            return []  # a server that is away has nothing to archive; others tell that it is
        done += archive(store, server, config)
        if _is_due(store, config) and choice.is_our_turn(config, server):
            done.append(take(store, server, config))
    return [each["name"] for each in done]


def _remove_left_over() -> None:
    try:
        with scratch.held(within_s=0):
            scratch.remove_left_over()
            sent.remove_left_over()
    except BackupError:
        return  # a restore is under way: what there is may be of use to it


def _is_due(store: Store, config: Config) -> bool:
    dumps = store.facts("dump")
    return not dumps or from_text(dumps[-1]["taken_at"]) < last_due(config.at, now())


def dump(config: Config, _: argparse.Namespace) -> Answer:
    """Dump now."""
    with written_to(config) as store:
        return take(store, Server(), config)


def keep_logs(config: Config, options: argparse.Namespace) -> Answer:
    """Archive what is new, now."""
    with written_to(config) as store:
        return archive(store, Server(), config, until=options.until, force=options.force)


def report(_: Config, __: argparse.Namespace) -> Answer:
    """Say how the server is and what the archive has."""
    store = Store()
    return {
        "server": choice.health(Server()),
        "dumps": store.facts("dump"),
        "logs": store.facts("log"),
        "kept": scratch.KEPT.exists(),
        "history": store.history,
    }


def sums(_: Config, __: argparse.Namespace) -> Answer:
    """Checksum all tables of the live server, as of one moment."""
    executed, found = checksums(Server())
    return {"executed": executed, "sums": found}


def restore_here(_: Config, __: argparse.Namespace) -> Answer:
    """Restore what standard input asks for."""
    request = Request(**json.load(sys.stdin))
    return restore(request, Store(), say=lambda line: print(line, flush=True))


def stop(_: Config, options: argparse.Namespace) -> Answer:
    """Stop the agent, which would promote somebody, and the live server."""
    install.stop(server_too=not options.agent_alone)
    return {}


def install_here(config: Config, _: argparse.Namespace) -> Answer:
    """Make the restored data the live ones, and open the server for writes.

    The archive is begun anew before that: it tells from then on that this has happened.
    """
    server = Server()
    with scratch.held(), written_to(config) as store:
        kept = install.install(server)
        store.set_aside(now(), server.value("@@server_uuid"))
        install.open_for_writes(server)
    return {"kept": str(kept)}


def set_aside(config: Config, options: argparse.Namespace) -> Answer:
    """Begin the archive anew, if that is not done yet."""
    with written_to(config) as store:
        store.set_aside(now(), options.history)
    return {}


def drop(_: Config, __: argparse.Namespace) -> Answer:
    """Remove a restored server that was kept."""
    with scratch.held():
        scratch.remove()
    return {}


COMMANDS: Mapping[str, Callable[[Config, argparse.Namespace], Answer]] = {
    "tick": tick,
    "dump": dump,
    "archive": keep_logs,
    "report": report,
    "sums": sums,
    "restore": restore_here,
    "drop": drop,
    "stop": stop,
    "install": install_here,
    "set-aside": set_aside,
}


def beat(*, ends_with_caller: bool) -> None:
    """Print an empty line now and then: whoever waits sees that we live, and we that they do."""
    pause = threading.Event()
    while not pause.wait(HEARTBEAT_S):
        try:
            print(flush=True)
        except OSError:
            if ends_with_caller:
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
            return


def _watch_caller(options: argparse.Namespace) -> None:
    """Notice when whoever called is gone, and end then, unless half the work is worse than none."""
    ends = options.command in END_WITH_CALLER
    ending.listen(to_hangups=ends)
    if options.beat:
        threading.Thread(target=beat, kwargs={"ends_with_caller": ends}, daemon=True).start()


def main() -> int:
    """Run one command; 1 where it failed, with the reason on standard error."""
    parser = argparse.ArgumentParser(prog="dbbackup", description=__doc__)
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--until", default="", help="GTIDs to wait for (archive)")
    parser.add_argument("--force", action="store_true", help="close a primary's log (archive)")
    parser.add_argument("--history", default="", help="the UUID of who began it (set-aside)")
    parser.add_argument("--agent-alone", action="store_true", help="not the server (stop)")
    parser.add_argument("--beat", action="store_true", help="print empty lines while at work")
    options = parser.parse_args()
    os.umask(0o077)
    _watch_caller(options)
    try:
        answer = COMMANDS[options.command](Config.load(), options)
    except (BackupError, OSError, subprocess.SubprocessError) as error:
        print(f"dbbackup: {error}", file=sys.stderr)
        return 1
    print(json.dumps(answer), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
