"""The lab as typed facts: machines, their roles, the application and the network between them."""

from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

from provision.errors import QuartetError
from provision.topology import addressing, values

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
_Failover = Annotated[Failover, BeforeValidator(values.one_of(*get_args(Failover)))]
_Seconds = Annotated[int, BeforeValidator(values.whole_number(1, 86_400))]
_Days = Annotated[int, BeforeValidator(values.whole_number(1, 3_650))]
_UrlPath = Annotated[str, BeforeValidator(values.url_path)]
_Package = Annotated[str, BeforeValidator(values.package)]
_User = Annotated[str, BeforeValidator(values.user)]
_KeyFile = Annotated[Path, BeforeValidator(values.key_file)]
_Jump = Annotated[str, BeforeValidator(values.jump)]


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SshDefaults(_Facts):
    """How to log in to servers that exist already; what is left out, ~/.ssh/config and ssh know.

    `jump` is one host or several with commas, as `ssh -J` takes them.
    """

    user: _User | None = None
    port: _Port | None = None
    key: _KeyFile | None = None
    jump: _Jump | None = None


class Ssh(SshDefaults):
    """How to log in to one server; `host` is a name or address, or a name in ~/.ssh/config."""

    host: Annotated[str, BeforeValidator(values.ssh_host)] | None = None


class Machine(_Facts):
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
    """Which box Vagrant's virtual machines start from; without a version, the newest."""

    box: Annotated[str, BeforeValidator(values.box)] = BOX
    box_version: Annotated[str, BeforeValidator(values.box_version)] | None = BOX_VERSION

    @model_validator(mode="before")
    @classmethod
    def _another_box_has_other_versions(cls, facts: dict[str, Any]) -> dict[str, Any]:
        return facts if facts.get("box", BOX) == BOX else {"box_version": None, **facts}


class Ports(_Facts):
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


class DataTier(_Facts):
    """What the data tier promises.

    A replica that is more than `max_lag_s` seconds behind gets no reads. With `fresh_reads` a user
    who has written sees it in the next request, whichever replica answers. After an automatic
    failover nothing is done by itself for `failover_pause_s` seconds.
    """

    max_lag_s: _Seconds = 5
    fresh_reads: Annotated[bool, BeforeValidator(values.flag)] = True
    failover: _Failover = "manual"
    failover_pause_s: _Seconds = 600


class Backups(_Facts):
    """When the daily backup is made (HH:MM, the machines' time) and for how long backups stay."""

    at: Annotated[str, BeforeValidator(values.time_of_day)] = "03:15"
    keep_days: _Days = 14


class Topology(_Facts):
    """The whole lab, as `load` found it in the file at `path`; machines in the file's order."""

    name: Annotated[str, BeforeValidator(values.lab_name)]
    domain: Annotated[str, BeforeValidator(addressing.domain)]
    network: Annotated[IPv4Network, BeforeValidator(addressing.network)]
    provider: _Provider
    load_balancing: _LoadBalancing
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
        """Where this system's keys, secrets and known hosts are kept, on the controlling machine.

        Each topology file has a folder of its own: topology.yml has `.quartet` beside it, and
        production.yml `.quartet/production`.
        """
        folder = self.path.parent / ".quartet"
        return folder if self.path.name == "topology.yml" else folder / self.path.stem

    @property
    def gateway(self) -> IPv4Address:
        """The network's first host address, which the lab's host has."""
        return self.network.network_address + 1
