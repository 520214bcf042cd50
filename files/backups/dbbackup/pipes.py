"""Programs that feed each other, each of which has to succeed."""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from dbbackup.failures import BackupError

CHUNK = 1 << 20
Take = Callable[[bytes], object]


class Pipeline:
    """Programs side by side, the output of each the input of the next.

    `output` is what the last one prints. `finish` waits for them and raises BackupError for the
    first that failed, with its last words.
    """

    def __init__(
        self,
        *commands: Sequence[str],
        feed: IO[bytes] | int = subprocess.DEVNULL,
        descriptors: Sequence[int] = (),
    ) -> None:
        self._running: list[subprocess.Popen[bytes]] = []
        self._said: list[bytes] = [b""] * len(commands)
        self._readers: list[threading.Thread] = []
        source: IO[bytes] | int = feed
        for number, command in enumerate(commands):
            process = _start(command, source, descriptors)
            if number:
                self._running[-1].stdout.close()  # type: ignore[union-attr]  # it is a pipe
            self._running.append(process)
            self._listen(number, process)
            source = process.stdout or subprocess.DEVNULL

    @property
    def output(self) -> IO[bytes]:
        """What the last program prints."""
        stream = self._running[-1].stdout
        assert stream is not None  # noqa: S101 each has a pipe
        return stream

    @property
    def input(self) -> IO[bytes]:
        """What the first program reads, where `feed` is a pipe."""
        stream = self._running[0].stdin
        assert stream is not None  # noqa: S101
        return stream

    def finish(self) -> None:
        """Wait for all; BackupError for the one that is to blame."""
        codes = [process.wait() for process in self._running]
        for reader in self._readers:
            reader.join()
        failed = [number for number, code in enumerate(codes) if code]
        if failed:
            # One that dies takes its neighbours with it, by SIGPIPE or an early end: the first
            # that spoke is to blame, or else the first that no signal ended.
            spoke = [number for number in failed if self._said[number].strip()]
            ended = [number for number in failed if codes[number] > 0]
            guilty = [*spoke, *ended, *failed][0]
            raise BackupError(f"{self._name(guilty)} failed: {self._words(guilty)}")

    def stop(self) -> None:
        """End all of them, however far they are."""
        for process in self._running:
            process.kill()
            process.wait()

    def _listen(self, number: int, process: subprocess.Popen[bytes]) -> None:
        def read() -> None:
            for line in process.stderr or ():
                self._said[number] = (self._said[number] + line)[-2000:]

        self._readers.append(threading.Thread(target=read, daemon=True))
        self._readers[-1].start()

    def _name(self, number: int) -> str:
        arguments = self._running[number].args
        return str(arguments[0]) if isinstance(arguments, list) else "a program"

    def _words(self, number: int) -> str:
        said = self._said[number].decode(errors="replace").strip()
        return said or f"exit status {self._running[number].returncode}"


def _start(
    command: Sequence[str], source: IO[bytes] | int, descriptors: Sequence[int]
) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(
            list(command), stdin=source, stdout=pipe, stderr=pipe, pass_fds=descriptors
        )
    except FileNotFoundError as error:
        raise BackupError(f"{command[0]} is not installed here", "./lab provision") from error


@contextmanager
def pipeline(
    *commands: Sequence[str],
    feed: IO[bytes] | int = subprocess.DEVNULL,
    descriptors: Sequence[int] = (),
) -> Iterator[Pipeline]:
    """Run programs; on the way out they have all succeeded, or are ended."""
    running = Pipeline(*commands, feed=feed, descriptors=descriptors)
    try:
        yield running
        running.finish()
    finally:
        running.stop()


def pump(source: IO[bytes], take: Take) -> None:
    """Hand on all that comes, in pieces."""
    while piece := source.read(CHUNK):
        take(piece)


@contextmanager
def secret_descriptor(secret: str) -> Iterator[int]:
    """A descriptor from which one program can read a short secret, once: /dev/fd/N for it."""
    reading, writing = os.pipe()
    try:
        with os.fdopen(writing, "w") as pipe:
            pipe.write(secret)
        yield reading
    finally:
        os.close(reading)
