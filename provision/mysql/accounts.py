"""MySQL accounts: each with the privileges of its one task, TLS only, from the private network."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from ipaddress import IPv4Network

from provision.mysql.literals import literal
from provision.secrets import SecretStore

DATABASE = "app"
REPLICATION = "replication"


@dataclass(frozen=True)
class Account:
    """One account: who, from where, with what password, for what.

    Its fingerprint is kept in the account's own ATTRIBUTE, set after the last GRANT, so that a
    changed password or privilege is seen without being read, and a half-made account is made again.
    """

    user: str
    network: IPv4Network
    password: str = field(repr=False)
    grants: tuple[str, ...]

    @property
    def host(self) -> str:
        """The network in MySQL's netmask notation, which every version from 8.0 on reads."""
        return self.network.with_netmask

    @property
    def key(self) -> str:
        """The account as the servers name it: user@host."""
        return f"{self.user}@{self.host}"

    @property
    def fingerprint(self) -> str:
        """A digest of all that the account is made of."""
        text = "\n".join([self.key, self.password, *self.grants])
        return hashlib.sha256(text.encode()).hexdigest()

    def statements(self) -> list[str]:
        """SQL that makes the account exactly this, whatever it was before."""
        name = f"{literal(self.user)}@{literal(self.host)}"
        return [
            f"CREATE USER IF NOT EXISTS {name} IDENTIFIED BY {literal(self.password)} REQUIRE SSL",
            f"ALTER USER {name} IDENTIFIED BY {literal(self.password)} REQUIRE SSL",
            f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM {name}",
            *[f"GRANT {grant} TO {name}" for grant in self.grants],
            f'ALTER USER {name} ATTRIBUTE \'{{"quartet": "{self.fingerprint}"}}\'',
        ]


@dataclass(frozen=True)
class Accounts:
    """All accounts of the system."""

    replication: Account
    clone: Account
    application: Account
    migration: Account
    monitoring: Account
    manager: Account

    def __iter__(self) -> Iterator[Account]:
        yield from (getattr(self, each.name) for each in fields(self))


def accounts_for(network: IPv4Network, secrets: SecretStore) -> Accounts:
    """The system's accounts, with passwords that are made at first use."""

    def account(user: str, *grants: str) -> Account:
        return Account(user, network, secrets.password(f"mysql_{user}"), grants)

    return Accounts(
        replication=account(REPLICATION, "REPLICATION SLAVE ON *.*"),
        clone=account("clone", "BACKUP_ADMIN ON *.*"),
        application=account("app", f"SELECT, INSERT, UPDATE, DELETE ON {DATABASE}.*"),
        migration=account(
            "app_migrate",
            "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES"
            f" ON {DATABASE}.*",
        ),
        monitoring=account(
            "monitor",
            "PROCESS, REPLICATION CLIENT ON *.*",
            "SELECT ON performance_schema.*",
        ),
        manager=account(
            "manager",
            "SYSTEM_VARIABLES_ADMIN, REPLICATION_SLAVE_ADMIN, CONNECTION_ADMIN, RELOAD, PROCESS,"
            " REPLICATION CLIENT, REPLICATION SLAVE ON *.*",
            "SELECT ON performance_schema.*",
        ),
    )
