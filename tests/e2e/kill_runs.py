"""Kill `inv provision` at random moments on fresh machines, and see the next run finish the job.

A command of its own, since it takes about two minutes a kill:

    python -m tests.e2e.kill_runs [--kills 20] [--longest 40] [--seed 1]

Each time: fresh machines without preinstalled packages, a run that is killed with SIGKILL, a
second run to the end, all checks, and a third run that must change nothing.
"""

import argparse
import re
import sys
import tempfile
from pathlib import Path

from tests.e2e.sandbox import NOTHING_PREINSTALLED, Run, Sandbox, random_moments

NOTHING_CHANGED = re.compile(r"^0 changed, \d+ unchanged, 0 failed$", re.MULTILINE)


def kill_and_finish(sandbox: Sandbox, moment_s: float) -> str:
    """Kill a run on fresh machines after `moment_s` seconds; return what was wrong afterwards."""
    sandbox.inv("destroy")
    sandbox.lab().up()
    sandbox.inv_killed("provision", after_s=moment_s)
    wrong = (
        _wrong(sandbox.inv("provision"))
        or _wrong(sandbox.inv("verify", "--settle=60"))
        or _wrong(sandbox.inv("provision"), nothing_changed=True)
    )
    # The machines are gone when somebody reads of it.
    return wrong and f"{wrong}\n{_database_logs(sandbox)}"


def _database_logs(sandbox: Sandbox) -> str:
    command = (
        "sudo sh -c 'journalctl --no-pager -n 40 -u mysql; tail -n 40 /var/log/mysql/error.log'"
    )
    names = [machine.name for machine in sandbox.topology.databases]
    return "\n".join(f"{name}:\n{sandbox.try_ssh(name, command).stdout}" for name in names)


def _wrong(run: Run, *, nothing_changed: bool = False) -> str:
    is_right = run.code == 0 and (not nothing_changed or NOTHING_CHANGED.search(run.output))
    return "" if is_right else f"status {run.code}: {run.output}"


def main() -> int:
    """Do it as often as asked; the exit status is the number of kills that were not mended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--longest", type=float, default=40, help="seconds until the last kill")
    parser.add_argument("--seed", type=int, default=1)
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sandbox = Sandbox(Path(folder), name="kills")
        try:
            return sum(
                _report(sandbox, moment)
                for moment in random_moments(wish.kills, wish.longest, wish.seed)
            )
        finally:
            sandbox.inv("destroy")


def _report(sandbox: Sandbox, moment_s: float) -> bool:
    sandbox.restore()
    sandbox.rewrite(NOTHING_PREINSTALLED)
    wrong = kill_and_finish(sandbox, moment_s)
    print(f"killed after {moment_s:5.1f} s: {wrong or 'finished by the next run'}", flush=True)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
