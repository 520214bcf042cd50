"""SSH to the machines, over Fabric; the only package that knows of it.

Host keys are checked against Quartet's own known_hosts, strictly, from the first connection on.
"""

from provision.connection.access import Access
from provision.connection.client_config import endpoints
from provision.connection.failures import (
    CommandFailedError,
    HostKeyError,
    RunEndingError,
    UnreachableError,
)
from provision.connection.host_keys import HostKey, offered_key
from provision.connection.machine import Connection
from provision.connection.sudo import SudoPassword

__all__ = [
    "Access",
    "CommandFailedError",
    "Connection",
    "HostKey",
    "HostKeyError",
    "RunEndingError",
    "SudoPassword",
    "UnreachableError",
    "endpoints",
    "offered_key",
]
