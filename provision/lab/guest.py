"""A container's processes as its host sees them."""

import os
from pathlib import Path

from provision.lab.cgroup import Cgroup


def guest_init(cgroup: Cgroup) -> int | None:
    """Find the process that is number 1 inside, by the kernel's own list of its numbers.

    See proc_pid_status(5), NSpid: one number for each process namespace, ours first.
    """
    depth = len(_numbers(os.getpid())) + 1
    for pid in cgroup.pids():
        numbers = _numbers(pid)
        if len(numbers) == depth and numbers[-1] == 1:
            return pid
    return None


def _numbers(pid: int) -> list[int]:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return []
    line = next((line for line in status.splitlines() if line.startswith("NSpid:")), "NSpid:")
    return [int(number) for number in line.split()[1:]]
