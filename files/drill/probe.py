"""Say again and again whether this machine's MySQL takes writes; `inv drill` runs it here, as root.

    python3 probe.py INTERVAL_SECONDS HOW_LONG_SECONDS

One line a sample: when the question was put and when it was answered, in Unix time, and the answer:
open (it takes writes), closed (read-only), silent (it didn't answer).
"""

import sys
import time
from typing import Any

import pymysql

SOCKET = "/run/mysqld/mysqld.sock"
ANSWER_S = 2.0
# read_only is ON wherever super_read_only is: it alone tells whether anybody at all can write.
QUESTION = "SELECT @@GLOBAL.read_only"


def main(interval_s: float, how_long_s: float) -> None:
    """Ask until the time is up, or until nobody reads the answers any more."""
    ends_at = time.monotonic() + how_long_s
    connection = None
    while time.monotonic() < ends_at:
        began = time.time()
        connection, answer = sample(connection)
        print(f"{began:.6f} {time.time():.6f} {answer}", flush=True)
        time.sleep(interval_s)


def sample(connection: Any) -> tuple[Any, str]:
    """Ask once, over the connection that there is or a new one, and return what is left of it."""
    try:
        connection = connection or connect()
        with connection.cursor() as cursor:
            cursor.execute(QUESTION)
            row = cursor.fetchone()
    except (pymysql.err.MySQLError, OSError):
        return None, "silent"
    return connection, "closed" if row[0] else "open"


def connect() -> Any:
    """Log in as root over the socket."""
    return pymysql.connect(
        unix_socket=SOCKET,
        user="root",
        connect_timeout=int(ANSWER_S),
        read_timeout=ANSWER_S,
        write_timeout=ANSWER_S,
        autocommit=True,
    )


if __name__ == "__main__":
    main(float(sys.argv[1]), float(sys.argv[2]))
