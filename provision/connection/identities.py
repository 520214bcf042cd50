"""The keys to log in with, as ssh offers them: its configuration's in turn, then the agent's.

Paramiko itself takes one key, and calls the refusal of one among several files a wrong format.
"""

import os
import socket
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from paramiko import Agent, PKey, SSHException, Transport
from paramiko.agent import AgentSSH
from paramiko.pkey import UnknownKeyType
from paramiko.ssh_exception import PasswordRequiredException

from provision.lab.base import Endpoint

# Paramiko's words where there is no key to show: none that can be read, and no agent with one.
NO_KEY = "No authentication methods available"


@dataclass(frozen=True)
class Identities:
    """What SSHClient.connect takes as its `auth_strategy`.

    `locked` are files that only an agent can use: with a passphrase, or on a security key. `agent`
    is what ssh_config(5) calls IdentityAgent: empty for that of SSH_AUTH_SOCK, or `none`.
    """

    user: str
    keys: tuple[PKey, ...]
    locked: tuple[Path, ...]
    agent: str

    def authenticate(self, transport: Transport) -> None:
        """Offer each key until one is let in; raises SSHException with the last refusal."""
        refusal = SSHException(NO_KEY)
        with closing(self._offers()) as offers:
            for key in offers:
                try:
                    wanted = transport.auth_publickey(self.user, key)
                except SSHException as error:
                    refusal = error
                    if not transport.is_active():  # so many refusals that the server hung up
                        break
                    continue
                if "publickey" in wanted:
                    continue
                if wanted:
                    transport.auth_interactive_dumb(self.user)
                return
        raise refusal

    def _offers(self) -> Generator[PKey, None, None]:
        yield from self.keys
        if self.agent == "none":
            return
        offered = {key.asbytes() for key in self.keys}  # a server counts each refusal
        with _agent(self.agent) as agent:
            yield from (key for key in agent.get_keys() if key.asbytes() not in offered)


def identities_for(endpoint: Endpoint) -> Identities:
    """Read the key files; raises SSHException where none of them can be used."""
    keys, locked, broken = [], [], []
    for path in endpoint.keys:
        try:
            keys.append(PKey.from_path(path))
        # Cryptography's own words for a missing passphrase, and for a kind of key it doesn't know.
        except (PasswordRequiredException, TypeError, UnsupportedAlgorithm, UnknownKeyType):
            locked.append(path)
        except (OSError, ValueError, SSHException) as error:
            broken.append(SSHException(f"the key {path}: {error}"))
    if broken and not keys and not locked:
        raise broken[0]
    agent = endpoint.identity_agent if endpoint.agent or locked else "none"
    return Identities(endpoint.user, tuple(keys), tuple(locked), agent)


@contextmanager
def _agent(where: str) -> Iterator[AgentSSH]:
    if where in {"", "SSH_AUTH_SOCK"}:
        with closing(Agent()) as usual:
            yield usual
        return
    agent = AgentSSH()
    with socket.socket(socket.AF_UNIX) as connection:
        with suppress(OSError):  # where nobody answers there are no keys, as with the usual one
            connection.connect(os.path.expandvars(where))
            # Paramiko's Agent asks the environment, which belongs to all threads.
            agent._connect(connection)  # type: ignore[attr-defined]
        yield agent
