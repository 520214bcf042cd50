"""Resources: a noun with a desired state, how to read its actual state, and how to reach it."""

from provision.resources.base import (
    CheckFailedError,
    Host,
    Resource,
    State,
    changed_keys,
)
from provision.resources.facts import Fact, FactKind, Snapshot
from provision.resources.file import Directory, File, Link
from provision.resources.package import Packages
from provision.resources.service import Service
from provision.resources.user import User

__all__ = [
    "CheckFailedError",
    "Directory",
    "Fact",
    "FactKind",
    "File",
    "Host",
    "Link",
    "Packages",
    "Resource",
    "Service",
    "Snapshot",
    "State",
    "User",
    "changed_keys",
]
