"""All machines, connected to side by side, in the background from the start on."""

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Self, TypeVar

from provision.connection import Access, Connection, RunEndingError
from provision.errors import QuartetError, raise_joined
from provision.lab.base import Endpoint

Argument = TypeVar("Argument")
Answer = TypeVar("Answer")


class Fleet:
    """The connections to all machines; making them begins at once, and nobody waits for it yet."""

    def __init__(self, endpoints: Mapping[str, Endpoint | QuartetError], access: Access) -> None:
        self._access = access
        self._unknown = {
            name: reason for name, reason in endpoints.items() if isinstance(reason, QuartetError)
        }
        self._connections = {
            name: Connection(name, endpoint, access)
            for name, endpoint in endpoints.items()
            if not isinstance(endpoint, QuartetError)
        }
        self._pool = ThreadPoolExecutor(max_workers=len(endpoints))
        self._opening = {
            name: self._pool.submit(connection.open)
            for name, connection in self._connections.items()
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None and self._access.sudo is not None:
            self._access.sudo.cancel()
        # A connection that is still being made would outlive its closing.
        wait(self._opening.values())
        list(self._pool.map(lambda connection: connection.close(), self._connections.values()))
        self._access.close()
        self._pool.shutdown()

    def __getitem__(self, name: str) -> Connection:
        return self._connections[name]

    def connect(self) -> None:
        """Wait until all are connected, or not; raise RunEndingError where one must stop a run."""
        answers = self.each(dict.fromkeys(self._connections), lambda host, _: host.name)
        raise_joined([each for each in answers.values() if isinstance(each, RunEndingError)])

    def reachable(
        self, names: Collection[str], patience_s: float
    ) -> dict[str, QuartetError | None]:
        """Who of these is connected (None), or why not; those who are slow are left out.

        Once half of them are connected, the rest are waited for `patience_s` seconds longer.
        """
        opening = {self._opening[name]: name for name in names if name in self._opening}
        pending, connected = set(opening), 0
        while pending and 2 * connected < len(names):
            done, pending = self._wait(pending, until_first=True)
            connected += sum(each.exception() is None for each in done)
        self._wait(pending, within_s=patience_s)
        found = {name: _reason(each) for each, name in opening.items() if each.done()}
        return found | {name: self._unknown[name] for name in names if name in self._unknown}

    def each(
        self,
        arguments: Mapping[str, Argument],
        action: Callable[[Connection, Argument], Answer],
    ) -> dict[str, Answer | QuartetError]:
        """Do this on the named machines at once; where it fails, the answer is the error."""
        return self.collect(self.ask(arguments, action))

    def ask(
        self,
        arguments: Mapping[str, Argument],
        action: Callable[[Connection, Argument], Answer],
    ) -> dict[str, Future[Answer]]:
        """Begin to do this on the named machines, and go on without waiting for it."""
        return {
            name: self._pool.submit(self._do, name, argument, action)
            for name, argument in arguments.items()
        }

    def collect(self, futures: Mapping[str, Future[Answer]]) -> dict[str, Answer | QuartetError]:
        """Wait for what was begun; where it has failed, the answer is the error."""
        if self._access.sudo is not None:
            self._access.sudo.serve(futures.values())
        answers: dict[str, Answer | QuartetError] = {}
        for name, future in futures.items():
            try:
                answers[name] = future.result()
            except QuartetError as error:
                answers[name] = error
        return answers

    def _wait(
        self,
        pending: Collection[Future[None]],
        *,
        until_first: bool = False,
        within_s: float | None = None,
    ) -> tuple[set[Future[None]], set[Future[None]]]:
        """Wait for all of these or the first, so long at most: who is done then, and who isn't."""
        if self._access.sudo is not None:
            self._access.sudo.serve(pending, until_first=until_first, within_s=within_s)
            within_s = 0
        return wait(pending, within_s, FIRST_COMPLETED if until_first else ALL_COMPLETED)

    def _do(
        self, name: str, argument: Argument, action: Callable[[Connection, Argument], Answer]
    ) -> Answer:
        if name in self._unknown:
            raise self._unknown[name]
        self._opening[name].result()
        return action(self._connections[name], argument)


def _reason(opening: "Future[None]") -> QuartetError | None:
    error = opening.exception()
    if error is not None and not isinstance(error, QuartetError):
        raise error
    return error
