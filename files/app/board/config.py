"""Settings from the environment: the whole of what the machine tells the application."""

from collections.abc import Mapping
from dataclasses import dataclass, field

HIGHEST_PORT = 65535


class ConfigError(Exception):
    """The environment is incomplete or wrong; the message lists every mistake."""


@dataclass(frozen=True)
class Address:
    """Where a database listens."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read HOST:PORT; raise ValueError for anything else."""
        host, colon, port = text.strip().rpartition(":")
        is_port = port.isascii() and port.isdigit() and 0 < int(port) <= HIGHEST_PORT
        if not (host and colon and is_port) or ":" in host or any(map(str.isspace, host)):
            raise ValueError(f"{text.strip()!r} is not HOST:PORT")
        return cls(host, int(port))

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Settings:
    """The contract's environment variables, typed.

    `writes` and `reads` are the router's addresses on this machine, where all work goes; `servers`
    are the databases themselves, for looking at how each of them is.
    """

    writes: Address
    reads: Address
    servers: tuple[Address, ...]
    database: str
    user: str
    password: str = field(repr=False)
    ca: str | None
    fresh_reads: bool
    session_secret: str = field(repr=False)
    machine: str
    release: str
    topology: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read the contract's variables; raise ConfigError with all mistakes at once."""
        reader = _Reader(environment)
        settings = cls(
            writes=reader.address("DATABASE_WRITES"),
            reads=reader.address("DATABASE_READS"),
            servers=reader.addresses("DATABASE_SERVERS"),
            database=reader.required("DATABASE_NAME"),
            user=reader.required("DATABASE_USER"),
            password=reader.required("DATABASE_PASSWORD"),
            ca=environment.get("DATABASE_CA") or None,
            fresh_reads=reader.switch("FRESH_READS"),
            session_secret=reader.required("SESSION_SECRET"),
            machine=reader.required("MACHINE_NAME"),
            release=reader.required("RELEASE_ID"),
            topology=reader.required("TOPOLOGY_JSON"),
        )
        if reader.mistakes:
            raise ConfigError("environment: " + "; ".join(reader.mistakes))
        return settings


class _Reader:
    """Reads variables and collects what is wrong with them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self.mistakes: list[str] = []

    def required(self, name: str) -> str:
        value = self.environment.get(name, "")
        if not value:
            self.mistakes.append(f"{name} is missing")
        return value

    def address(self, name: str) -> Address:
        value = self.required(name)
        return self._parse(name, value) if value else Address("", 0)

    def addresses(self, name: str) -> tuple[Address, ...]:
        parts = self.required(name).split(",")
        return tuple(self._parse(name, part) for part in parts if part.strip())

    def switch(self, name: str) -> bool:
        value = self.required(name)
        if value and value not in ("on", "off"):
            self.mistakes.append(f"{name}: {value!r} is neither on nor off")
        return value == "on"

    def _parse(self, name: str, text: str) -> Address:
        try:
            return Address.parse(text)
        except ValueError as error:
            self.mistakes.append(f"{name}: {error}")
            return Address("", 0)
