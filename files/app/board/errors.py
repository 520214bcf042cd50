"""What can go wrong with a database, and what that means for a write."""

import pymysql
from pymysql.constants import CR

ER_CON_COUNT_ERROR = 1040
ER_SERVER_SHUTDOWN = 1053
ER_ERROR_DURING_COMMIT = 1180
ER_LOCK_WAIT_TIMEOUT = 1205
ER_LOCK_DEADLOCK = 1213
ER_OPTION_PREVENTS_STATEMENT = 1290
ER_QUERY_INTERRUPTED = 1317
ER_READ_ONLY_TRANSACTION = 1792
ER_READ_ONLY_MODE = 1836
ER_RUN_HOOK_ERROR = 3100

READ_ONLY = frozenset({ER_OPTION_PREVENTS_STATEMENT, ER_READ_ONLY_TRANSACTION, ER_READ_ONLY_MODE})
# The server says these also of a commit that is already in its binary log.
LOST_AT_COMMIT = frozenset(
    {ER_SERVER_SHUTDOWN, ER_ERROR_DURING_COMMIT, ER_QUERY_INTERRUPTED, ER_RUN_HOOK_ERROR}
)
BUSY = frozenset({ER_CON_COUNT_ERROR, ER_LOCK_WAIT_TIMEOUT, ER_LOCK_DEADLOCK})
FIRST_CLIENT_ERROR, LAST_CLIENT_ERROR = CR.CR_ERROR_FIRST, 2999


class UnavailableError(Exception):
    """A database does not answer."""


class WritesPausedError(Exception):
    """No primary took the write in time: it is certainly not stored."""


class WriteUndecidedError(Exception):
    """The answer to a write was lost: it may or may not be stored."""


def is_lost(error: BaseException | None) -> bool:
    """Whether the connection failed, rather than the statement."""
    if not isinstance(error, pymysql.err.MySQLError):
        return isinstance(error, OSError)
    code = _code(error)
    if isinstance(error, pymysql.err.InterfaceError) or code is None:
        return True
    return code in LOST_AT_COMMIT or FIRST_CLIENT_ERROR <= code <= LAST_CLIENT_ERROR


def is_read_only(error: BaseException | None) -> bool:
    """Whether this server takes no writes at the moment."""
    return _code(error) in READ_ONLY


def is_passing(error: BaseException | None) -> bool:
    """Whether the same may succeed a moment later."""
    return is_lost(error) or is_read_only(error) or _code(error) in BUSY


def is_undecided(error: BaseException | None) -> bool:
    """Whether a write that failed so may be stored all the same.

    A lock that is not released belongs to an attempt before, whose commit is still under way.
    """
    return is_lost(error) or _code(error) == ER_LOCK_WAIT_TIMEOUT


def words_of(error: BaseException) -> str:
    """Say what went wrong, without the error's number."""
    return str(error.args[1]) if len(error.args) > 1 else str(error) or type(error).__name__


def _code(error: BaseException | None) -> int | None:
    code = error.args[0] if error and error.args else None
    return code if isinstance(code, int) else None
