"""What all connections of a run share: known hosts, hosts in between, and a password for sudo."""

import threading
from dataclasses import dataclass, field
from pathlib import Path

import fabric

from provision.connection.dial import dial
from provision.connection.failures import HostKeyError, UnreachableError
from provision.connection.sudo import SudoPassword
from provision.connection.ways import CONNECT_TIMEOUT_S
from provision.lab.base import Endpoint


@dataclass
class Access:
    """One for each run; `sudo` is None where every login may use sudo without a password.

    `connect_s` is for how long a host that may be off is tried, in seconds.
    """

    known_hosts: Path
    sudo: SudoPassword | None = None
    connect_s: float = CONNECT_TIMEOUT_S
    _hops: "dict[Endpoint, _Hop]" = field(default_factory=dict, repr=False)
    _guard: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def open(self, name: str, endpoint: Endpoint) -> fabric.Connection:
        """Connect and log in, over the host in between if there is one.

        Raises UnreachableError, which says why.
        """
        gateway = self.gateway(endpoint)
        return dial(name, endpoint, self.known_hosts, gateway, self.connect_s)

    def gateway(self, endpoint: Endpoint) -> fabric.Connection | None:
        """Return a connection to the host in between, if there is one; as for `open`."""
        return self._hop(endpoint.jump).open(self) if endpoint.jump else None

    def close(self) -> None:
        """Hang up on the hosts in between."""
        for hop in self._hops.values():
            hop.close()

    def _hop(self, endpoint: Endpoint) -> "_Hop":
        with self._guard:
            return self._hops.setdefault(endpoint, _Hop(endpoint))


class _Hop:
    """A host in between, connected to once for all machines behind it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._lock = threading.Lock()
        self._connection: fabric.Connection | None = None
        self._error: UnreachableError | None = None

    def open(self, access: Access) -> fabric.Connection:
        with self._lock:
            if self._error is not None:
                raise self._error
            # A run closes it behind itself; the next one of the same command needs it again.
            if self._connection is None or not self._connection.is_connected:
                self._connection = self._connect(access)
            return self._connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _connect(self, access: Access) -> fabric.Connection:
        name = f"jump host {self._endpoint.host}"
        try:
            return access.open(name, self._endpoint)
        except HostKeyError as error:
            self._error = error
            raise
        except UnreachableError as error:
            # Told once, in the same words for each machine behind it.
            user, host, port = self._endpoint.user, self._endpoint.host, self._endpoint.port
            login = f"see what ssh says of it: ssh -p {port} {user}@{host}"
            self._error = UnreachableError(error.where, error.what, login)
            raise self._error from error
