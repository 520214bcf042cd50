"""What a role is told beside its machine: the topology, the secrets, and who is primary."""

from dataclasses import dataclass, field
from functools import cached_property

from provision import pki
from provision.mysql.accounts import Accounts, accounts_for
from provision.mysql.cluster import Cluster
from provision.secrets import SecretStore
from provision.topology import Machine, Topology


@dataclass(frozen=True)
class Site:
    """All that desired states are made of; a role reads it and runs nothing.

    `reclone` names the replicas whose own data may be thrown away.
    """

    topology: Topology
    secrets: SecretStore
    cluster: Cluster
    reclone: frozenset[str] = field(default_factory=frozenset)

    @cached_property
    def accounts(self) -> Accounts:
        """The MySQL accounts."""
        return accounts_for(self.topology.network, self.secrets)

    @cached_property
    def authority(self) -> pki.KeyPair:
        """The certificate authority that all machines trust for MySQL."""
        return pki.authority(self.secrets, self.topology.name)

    def server_pair(self, machine: Machine) -> pki.KeyPair:
        """A machine's own certificate and key."""
        return pki.server_pair(self.secrets, machine.name, machine.address, self.authority)
