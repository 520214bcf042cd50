"""The lab as typed facts: machines, their roles, the application and the network between them."""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Annotated, Literal, get_args

from provision.errors import QuartetError
from provision.topology import addressing, values
from provision.topology.checked import Checked

BOX, BOX_VERSION = "bento/ubuntu-24.04", "202508.03.0"


class Role(StrEnum):
    """What a machine can be; it may have several roles."""

    HAPROXY = "haproxy"
    DNS = "dns"
    WEB = "web"
    PRIMARY = "primary"
    REPLICA = "replica"


Provider = Literal["nspawn", "virtualbox", "libvirt", "ssh"]
LoadBalancing = Literal["active-active", "active-passive"]
ExpiredRelease = Literal["warn", "refuse"]
Failover = Literal["manual", "automatic"]

_Text = Annotated[str, Checked(values.argument)]
_Few = Annotated[int, Checked(values.whole_number(1, 64))]
_Port = Annotated[int, Checked(values.whole_number(1, 65535))]
_MemoryMb = Annotated[int, Checked(values.whole_number(256, 1024 * 1024))]
_ServerId = Annotated[int, Checked(values.whole_number(1, 2**32 - 1))]
_Label = Annotated[str, Checked(addressing.host_label)]
_Address = Annotated[IPv4Address, Checked(addressing.address)]
_Role = Annotated[Role, Checked(values.one_of(*Role))]
_Provider = Annotated[Provider, Checked(values.one_of(*get_args(Provider)))]
_LoadBalancing = Annotated[LoadBalancing, Checked(values.one_of(*get_args(LoadBalancing)))]
_ExpiredRelease = Annotated[ExpiredRelease, Checked(values.one_of(*get_args(ExpiredRelease)))]
_Failover = Annotated[Failover, Checked(values.one_of(*get_args(Failover)))]
_Seconds = Annotated[int, Checked(values.whole_number(1, 86_400))]
_Patience = Annotated[int, Checked(values.whole_number(1, 20))]
_Days = Annotated[int, Checked(values.whole_number(1, 3_650))]
_UrlPath = Annotated[str, Checked(values.url_path)]
_Package = Annotated[str, Checked(values.package)]
_User = Annotated[str, Checked(values.user)]
_KeyFile = Annotated[Path, Checked(values.key_file)]
_Jump = Annotated[str, Checked(values.jump)]


@dataclass(frozen=True, kw_only=True)
class SshDefaults:
    """How to log in to servers that exist already; what is left out, ~/.ssh/config and ssh know.

    `jump` is one host or several with commas, as `ssh -J` takes them.
    """

    user: _User | None = None
    port: _Port | None = None
    key: _KeyFile | None = None
    jump: _Jump | None = None


@dataclass(frozen=True, kw_only=True)
class Ssh(SshDefaults):
    """How to log in to one server; `host` is a name or address, or a name in ~/.ssh/config."""

    host: Annotated[str, Checked(values.ssh_host)] | None = None


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One machine; `server_id` is its MySQL server id, in the file by default the address's offset.

    MySQL requires a server id from 1 to 4294967295, another one on each server:
    https://dev.mysql.com/doc/refman/8.4/en/replication-options.html#sysvar_server_id
    `address` is where the machines find each other; `public_address` is what users connect to.
    """

    name: _Label
    address: _Address
    public_address: _Address | None = None
    ssh: Ssh = Ssh()
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


@dataclass(frozen=True, kw_only=True)
class Application:
    """The WSGI application that the web machines run; `static` is a folder within `path`."""

    path: Annotated[Path, Checked(values.folder)]
    entry_point: Annotated[str, Checked(values.entry_point)]
    static: Annotated[str, Checked(values.folder_within)] | None = None
    liveness: _UrlPath = "/healthz"
    readiness: _UrlPath = "/readyz"
    migrate: tuple[_Text, ...] = ()
    packages: tuple[_Package, ...] = ()
    workers: _Few = 2


@dataclass(frozen=True, kw_only=True)
class Nspawn:
    """How nspawn containers are made; without a suite the host's own is used."""

    suite: Annotated[str, Checked(values.suite)] | None = None
    mirror: Annotated[str, Checked(values.mirror)] | None = None
    preinstall: Annotated[bool, Checked(values.flag)] = True
    expired_release: _ExpiredRelease = "warn"


@dataclass(frozen=True, kw_only=True)
class Vagrant:
    """Which box Vagrant's virtual machines start from; without a version, the newest.

    The version goes with the box: in the file another box has none unless it is said.
    """

    box: Annotated[str, Checked(values.box)] = BOX
    box_version: Annotated[str, Checked(values.box_version)] | None = BOX_VERSION


@dataclass(frozen=True, kw_only=True)
class Ports:
    """The TCP ports (for DNS also UDP) of what listens.

    `database_writes` and `database_reads` are the web machines' own, on 127.0.0.1 alone: where the
    application finds the primary and the replicas. 6446 and 6447 are what MySQL Router has for it.
    """

    http: _Port = 80
    web: _Port = 80
    mysql: _Port = 3306
    haproxy_stats: _Port = 8404
    dns: _Port = 53
    database_writes: _Port = 6446
    database_reads: _Port = 6447
    database_agent: _Port = 8008


@dataclass(frozen=True, kw_only=True)
class DataTier:
    """What the data tier promises.

    A replica that is more than `max_lag_s` seconds behind gets no reads. With `fresh_reads` a user
    who has written sees it in the next request, whichever replica answers. After an automatic
    failover nothing is done by itself for `failover_pause_s` seconds.
    """

    max_lag_s: _Seconds = 5
    fresh_reads: Annotated[bool, Checked(values.flag)] = True
    failover: _Failover = "manual"
    failover_pause_s: _Seconds = 600


@dataclass(frozen=True, kw_only=True)
class Backups:
    """When the daily backup is made (HH:MM, the machines' time) and for how long backups stay."""

    at: Annotated[str, Checked(values.time_of_day)] = "03:15"
    keep_days: _Days = 14


@dataclass(frozen=True, kw_only=True)
class Topology:
    """The whole lab, as `load` found it in the file at `path`; machines in the file's order.

    With `patience` over 1 health checks are that many times rarer, and their time limits and those
    of the database agents as many times longer.
    """

    name: Annotated[str, Checked(values.lab_name)]
    domain: Annotated[str, Checked(addressing.domain)]
    network: Annotated[IPv4Network, Checked(addressing.network)]
    provider: _Provider
    load_balancing: _LoadBalancing
    patience: _Patience = 1
    application: Application
    ports: Ports = Ports()
    database: DataTier = DataTier()
    backups: Backups = Backups()
    nspawn: Nspawn = Nspawn()
    vagrant: Vagrant = Vagrant()
    ssh: SshDefaults = SshDefaults()
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
    def acknowledgements(self) -> int:
        """How many replicas have a write before it is acknowledged: half of the database machines.

        So a majority of them always has every acknowledged write, and can do without the rest.
        """
        return len(self.databases) // 2

    @property
    def primary(self) -> Machine:
        """Where the first run puts the primary; later the servers themselves know better."""
        return self.with_role(Role.PRIMARY)[0]

    @property
    def load_balancer(self) -> Machine:
        """The machine that users connect to."""
        return self.with_role(Role.HAPROXY)[0]

    @property
    def front_address(self) -> IPv4Address:
        """The address that users connect to, which DNS gives out for the domain."""
        return self.load_balancer.public_address or self.load_balancer.address

    @property
    def state_folder(self) -> Path:
        """Where its keys, secrets and known hosts are kept, on the controlling machine."""
        return state_folder_of(self.path)

    @property
    def gateway(self) -> IPv4Address:
        """The network's first host address, which the lab's host has."""
        return self.network.network_address + 1


def state_folder_of(path: Path) -> Path:
    """Each topology file has a folder of its own for what is kept of its system.

    topology.yml has `.quartet` beside it, and production.yml `.quartet/production`.
    """
    folder = path.parent / ".quartet"
    return folder if path.name == "topology.yml" else folder / path.stem
