"""The floor of a run with nothing to do: import Fabric, connect to all machines, run `true`.

Run as a program with the path of the key, the user, and the addresses.
"""

import sys
from concurrent.futures import ThreadPoolExecutor

import fabric


def greet(address: str) -> None:
    """Connect to one machine and run `true` there."""
    with fabric.Connection(address, user=user, connect_kwargs={"key_filename": key}) as connection:
        connection.run("true", hide=True)


key, user, *addresses = sys.argv[1:]
with ThreadPoolExecutor(len(addresses)) as pool:
    list(pool.map(greet, addresses))
