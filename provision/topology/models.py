"""The lab as typed facts: machines, their roles, the application and the network between them."""

from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict

from provision.errors import QuartetError
from provision.topology import addressing, values


class Role(StrEnum):
    """What a machine can be; it may have several roles."""

    HAPROXY = "haproxy"
    DNS = "dns"
    WEB = "web"
    PRIMARY = "primary"
    REPLICA = "replica"


Provider = Literal["nspawn", "vagrant"]
LoadBalancing = Literal["active-active", "active-passive"]
ExpiredRelease = Literal["warn", "refuse"]

_Text = Annotated[str, BeforeValidator(values.argument)]
_Few = Annotated[int, BeforeValidator(values.whole_number(1, 64))]
_Port = Annotated[int, BeforeValidator(values.whole_number(1, 65535))]
_MemoryMb = Annotated[int, BeforeValidator(values.whole_number(256, 1024 * 1024))]
_ServerId = Annotated[int, BeforeValidator(values.whole_number(1, 2**32 - 1))]
_Label = Annotated[str, BeforeValidator(addressing.host_label)]
_Address = Annotated[IPv4Address, BeforeValidator(addressing.address)]
_Role = Annotated[Role, BeforeValidator(values.one_of(*Role))]
_Provider = Annotated[Provider, BeforeValidator(values.one_of(*get_args(Provider)))]
_LoadBalancing = Annotated[LoadBalancing, BeforeValidator(values.one_of(*get_args(LoadBalancing)))]
_ExpiredRelease = Annotated[
    ExpiredRelease, BeforeValidator(values.one_of(*get_args(ExpiredRelease)))
]
_UrlPath = Annotated[str, BeforeValidator(values.url_path)]
_Package = Annotated[str, BeforeValidator(values.package)]


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Machine(_Facts):
    """One machine; `server_id` is its MySQL server id, in the file by default the address's offset.

    MySQL requires a server id from 1 to 4294967295, another one on each server:
    https://dev.mysql.com/doc/refman/8.4/en/replication-options.html#sysvar_server_id
    """

    name: _Label
    address: _Address
    roles: tuple[_Role, ...]
    cpus: _Few = 1
    memory_mb: _MemoryMb = 1024
    server_id: _ServerId

    def has(self, role: Role) -> bool:
        """Whether this is one of the machine's roles."""
        return role in self.roles

    @property
    def is_database(self) -> bool:
        """Whether MySQL runs here, as the primary or as a replica."""
        return self.has(Role.PRIMARY) or self.has(Role.REPLICA)


class Application(_Facts):
    """The WSGI application that the web machines run; `static` is a folder within `path`."""

    path: Annotated[Path, BeforeValidator(values.folder)]
    entry_point: Annotated[str, BeforeValidator(values.entry_point)]
    static: Annotated[str, BeforeValidator(values.folder_within)] | None = None
    liveness: _UrlPath = "/healthz"
    readiness: _UrlPath = "/readyz"
    migrate: tuple[_Text, ...] = ()
    packages: tuple[_Package, ...] = ()
    workers: _Few = 2


class Nspawn(_Facts):
    """How nspawn containers are made; without a suite the host's own is used."""

    suite: Annotated[str, BeforeValidator(values.suite)] | None = None
    mirror: Annotated[str, BeforeValidator(values.mirror)] | None = None
    preinstall: Annotated[bool, BeforeValidator(values.flag)] = True
    expired_release: _ExpiredRelease = "warn"


class Vagrant(_Facts):
    """Which box Vagrant's virtual machines start from."""

    box: Annotated[str, BeforeValidator(values.box)] = "bento/ubuntu-24.04"
    box_version: Annotated[str, BeforeValidator(values.box_version)] | None = None


class Ports(_Facts):
    """The TCP ports (for DNS also UDP) of what listens on the network."""

    http: _Port = 80
    web: _Port = 80
    mysql: _Port = 3306
    haproxy_stats: _Port = 8404
    dns: _Port = 53


class Topology(_Facts):
    """The whole lab, as `load` found it in the file at `path`; machines in the file's order."""

    name: Annotated[str, BeforeValidator(values.lab_name)]
    domain: Annotated[str, BeforeValidator(addressing.domain)]
    network: Annotated[IPv4Network, BeforeValidator(addressing.network)]
    provider: _Provider
    load_balancing: _LoadBalancing
    application: Application
    ports: Ports = Ports()
    nspawn: Nspawn = Nspawn()
    vagrant: Vagrant = Vagrant()
    machines: tuple[Machine, ...]
    path: Path

    def machine(self, name: str) -> Machine:
        """Return the machine of that name; raises QuartetError, which names those there are."""
        for machine in self.machines:
            if machine.name == name:
                return machine
        known = ", ".join(machine.name for machine in self.machines)
        raise QuartetError(self.path.name, f"no machine is called {name!r}", f"pick one of {known}")

    def with_role(self, role: Role) -> tuple[Machine, ...]:
        """Return the machines that have this role, in the file's order."""
        return tuple(machine for machine in self.machines if machine.has(role))

    @property
    def databases(self) -> tuple[Machine, ...]:
        """The machines that run MySQL, in the file's order."""
        return tuple(machine for machine in self.machines if machine.is_database)

    @property
    def primary(self) -> Machine:
        """Where the first run puts the primary; later the servers themselves know better."""
        return self.with_role(Role.PRIMARY)[0]

    @property
    def gateway(self) -> IPv4Address:
        """The network's first host address, which the lab's host has."""
        return self.network.network_address + 1
