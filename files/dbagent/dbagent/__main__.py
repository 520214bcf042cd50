"""`dbagent serve` is the service; the other commands change or show who is primary."""

import argparse
import json
import logging
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from typing import Any

from dbagent.config import AgentError, Config
from dbagent.failover import failover
from dbagent.fencing import fence, fence_for_stop
from dbagent.opening import open_primary
from dbagent.rejoin import rejoin
from dbagent.status import as_json
from dbagent.survey import FAILURES, Cluster
from dbagent.switchover import switchover

OPENING_S = 5
"""The agent itself may just be opening it."""


def main() -> int:
    """Run a command; its result is JSON on standard output, and the exit status 1 for an error."""
    options = _parser().parse_args()
    if options.command == "serve":
        _serve()
    # Whoever started this may be gone before it ends; half done would be worse than unseen.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        result = _run(options)
    except (*FAILURES, subprocess.SubprocessError) as error:
        words = {
            "what": f"a server stopped answering in between: {error}",
            "next": "./lab db.status",
        }
        _print({"error": {"where": "the databases", **words}})
        return 1
    except AgentError as error:
        _print({"error": {"where": error.where, "what": error.what, "next": error.next_step}})
        return 1
    _print(result)
    return 0


def _serve() -> None:
    from dbagent.api import serve  # noqa: PLC0415
    from dbagent.health import Monitor  # noqa: PLC0415
    from dbagent.watch import Watch  # noqa: PLC0415

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    config = Config.load()
    watch = Watch(config, Monitor(config))
    watch.monitor.sample()
    watch.monitor.start()
    watch.start()
    serve(watch)


def _run(options: argparse.Namespace) -> dict[str, Any]:
    config = Config.load()
    match options.command:
        case "status":
            with Cluster(config) as cluster:
                return as_json(cluster.view())
        case "switchover":
            return asdict(switchover(config, options.to, options.by))
        case "failover":
            config = replace(config, off=_names(options.off))
            return asdict(failover(config, options.by, is_fenced=options.fenced))
        case "rejoin":
            return asdict(rejoin(config, options.by))
        case "open":
            return {"told": _open(config, options)}
        case _:
            closing = fence_for_stop if options.command == "stop" else fence
            return {"told": [f"{config.machine} {closing(config.patience)}"]}


def _open(config: Config, options: argparse.Namespace) -> list[str]:
    without = _names(options.without)
    return open_primary(config, options.by, patience_s=OPENING_S, without=without)


def _names(text: str) -> frozenset[str]:
    return frozenset(filter(None, text.split(",")))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dbagent", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    helps = {
        "serve": "answer health checks, and watch",
        "status": "show the servers",
        "switchover": "change the primary, as planned",
        "failover": "promote a replica in the place of a dead primary",
        "rejoin": "let this server follow the primary again",
        "fence": "close this server to writes",
        "stop": "the same, as systemd is about to stop it",
        "open": "open this server to writes, where nobody else is primary",
    }
    for name, text in helps.items():
        command = commands.add_parser(name, help=text)
        command.add_argument("--by", default="root", help="who asks for it")
        if name == "switchover":
            command.add_argument("--to", help="who is to be primary")
        if name == "open":
            command.add_argument("--without", default="", help="who is to be cloned anew, by comma")
        if name == "failover":
            command.add_argument("--fenced", action="store_true", help="the old one is closed")
            command.add_argument("--off", default="", help="replace one of these alone, by comma")
    return parser


def _print(result: dict[str, Any]) -> None:
    try:
        print(json.dumps(result), flush=True)
    except BrokenPipeError:
        sys.stderr = None  # nobody is there to read it; what was done is done


if __name__ == "__main__":
    sys.exit(main())
