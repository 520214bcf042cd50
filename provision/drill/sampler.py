"""Samplers: one for each database machine, which asks its server all the while who may write."""

import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from provision.drill.machines import Machines
from provision.drill.overlap import Answer, Sample
from provision.errors import QuartetError
from provision.polling import is_reached

PROBE = Path(__file__).parents[2] / "files/drill/probe.py"
INTERVAL_S = 0.05
LONGEST_S = 1800
FIRST_SAMPLE_S = 15.0
AGAIN_AFTER_S = 0.3


class Sampler:
    """One machine's samples, read line by line as they come; a lost session is opened anew."""

    def __init__(self, machines: Machines, name: str) -> None:
        self.name = name
        self.samples: list[Sample] = []
        self.trouble = ""
        self._argv = machines.argv(name, "python3", "-u", "-", str(INTERVAL_S), str(LONGEST_S))
        self._done = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self) -> None:
        """Sample in the background."""
        self._thread.start()

    def stop(self) -> None:
        """End it; the program on the machine ends when nobody reads its answers."""
        self._done.set()
        if self._process is not None:
            self._process.kill()
        self._thread.join(5)

    def _work(self) -> None:
        while not self._done.is_set():
            self._session()
            self._done.wait(AGAIN_AFTER_S)

    def _session(self) -> None:
        with subprocess.Popen(
            self._argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            self._process = process
            self._read(process)
            if self._done.is_set():
                process.kill()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None  # noqa: S101 they are pipes
        assert process.stdout is not None  # noqa: S101
        assert process.stderr is not None  # noqa: S101
        try:
            with process.stdin as pipe:
                pipe.write(PROBE.read_text())
        except BrokenPipeError:
            pass  # the session was not made; what ssh says of it follows
        self.samples.extend(filter(None, map(parse, process.stdout)))
        self.trouble = process.stderr.read().strip()[-300:]


def parse(line: str) -> Sample | None:
    """Read a line of the probe's; None for the half line of a session that was cut."""
    words = line.split()
    if len(words) != 3 or words[2] not in tuple(Answer):  # noqa: PLR2004 from, to, answer
        return None
    return Sample(float(words[0]), float(words[1]), Answer(words[2]))


class Samplers:
    """All of them, from entering to leaving."""

    def __init__(self, machines: Machines, names: Sequence[str]) -> None:
        self._samplers = [Sampler(machines, name) for name in names]

    def __enter__(self) -> Self:
        for each in self._samplers:
            each.start()
        if not is_reached(self._all_answer, within_s=FIRST_SAMPLE_S):
            self._stop()
            raise self._blind()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()

    def samples(self) -> Mapping[str, Sequence[Sample]]:
        """What each has seen so far."""
        return {each.name: list(each.samples) for each in self._samplers}

    def _all_answer(self) -> bool:
        return all(self._has_answered(each) for each in self._samplers)

    def _has_answered(self, sampler: Sampler) -> bool:
        return any(each.answer is not Answer.SILENT for each in sampler.samples[-1:])

    def _stop(self) -> None:
        for each in self._samplers:
            each.stop()

    def _blind(self) -> QuartetError:
        blind = [each for each in self._samplers if not self._has_answered(each)]
        told = "; ".join(f"{each.name}: {each.trouble or 'MySQL is silent'}" for each in blind)
        return QuartetError(
            ", ".join(each.name for each in blind),
            f"can't be watched: {told}",
            "./lab db.status; root has to be had there without a password",
        )
