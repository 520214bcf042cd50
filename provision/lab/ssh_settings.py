"""What `ssh` itself would do to reach a host, asked with `ssh -G`, which connects to nothing."""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from provision.errors import QuartetError
from provision.lab.base import Endpoint

HOP = re.compile(
    r"(?:(?P<user>[^@]+)@)?(?:\[(?P<v6>[^]]+)\]|(?P<host>[^:@\[\]]+))(?::(?P<port>[0-9]+))?"
)
MOST_HOPS = 8
ANSWER_WITHIN_S = 10


@dataclass(frozen=True)
class Login:
    """What is known of a login before ssh's own configuration is asked."""

    host: str
    user: str | None = None
    port: int | None = None
    key: Path | None = None
    jump: str | None = None


def endpoint_for(where: str, login: Login, hops: int = 0) -> Endpoint:
    """Say how to reach a host; raises QuartetError, at `where`, for settings that ssh refuses.

    What the login leaves open, ~/.ssh/config and ssh's defaults decide. A jump host is resolved in
    the same way; it is offered the same key.
    """
    if hops > MOST_HOPS:
        raise QuartetError(where, f"more than {MOST_HOPS} jump hosts", "look for a circle in them")
    settings = _settings(where, login)
    host, port, user = settings["hostname"], int(settings["port"]), settings["user"]
    jump = login.jump or settings.get("proxyjump", "none")
    return Endpoint(
        host=host,
        port=port,
        user=user,
        keys=_keys(where, login.key, settings),
        agent=settings.get("identitiesonly") != "yes",
        jump=None if jump == "none" else _jump(where, jump, login, hops),
        proxy_command="" if login.jump else _command(settings, login.host),
        identity_agent=settings.get("identityagent", ""),
    )


def _jump(where: str, jump: str, login: Login, hops: int) -> Endpoint:
    """Resolve the nearest of several hosts in between; the others lie before it."""
    before, _, nearest = jump.rpartition(",")
    match = HOP.fullmatch(nearest.strip())
    if match is None:
        raise QuartetError(where, f"jump host {nearest!r} is not [USER@]HOST[:PORT]", "mend it")
    port = int(match["port"]) if match["port"] else None
    hop = Login(match["v6"] or match["host"], match["user"], port, login.key, before or None)
    return endpoint_for(f"{where}: its jump host {nearest}", hop, hops + 1)


def _settings(where: str, login: Login) -> Mapping[str, str]:
    argv = ["ssh", "-G"]
    argv += ["-l", login.user] if login.user else []
    argv += ["-p", str(login.port)] if login.port else []
    try:
        done = subprocess.run(
            [*argv, "--", login.host],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=ANSWER_WITHIN_S,
            check=True,
        )
    except FileNotFoundError as error:
        raise QuartetError(
            where, "there is no ssh here", "apt-get install openssh-client"
        ) from error
    except subprocess.CalledProcessError as error:
        raise QuartetError(where, error.stderr.strip(), "mend your ~/.ssh/config") from error
    except subprocess.TimeoutExpired as error:
        raise QuartetError(
            where, f"`ssh -G {login.host}` takes too long", "see what your ~/.ssh/config runs"
        ) from error
    settings: dict[str, str] = {}
    for line in done.stdout.splitlines():
        name, _, value = line.partition(" ")
        # Several identity files are possible; they come together under one name.
        settings[name] = f"{settings[name]}\n{value}" if name in settings else value
    return settings


def _keys(where: str, key: Path | None, settings: Mapping[str, str]) -> tuple[Path, ...]:
    """The topology's key alone, or else all that ssh would try, in its order."""
    if key is None:
        named = settings.get("identityfile", "").split("\n")
        return tuple(file for name in named if (file := Path(name).expanduser()).is_file())
    if not key.is_file():
        raise QuartetError(
            where, f"there is no key {key}", "correct `key:`, or leave it out to use your agent"
        )
    return (key,)


def _command(settings: Mapping[str, str], host: str) -> str:
    """The proxy command; %n is the host as it was asked for, whose name nobody knows later."""
    command = settings.get("proxycommand", "none")
    if command == "none":
        return ""
    escaped = host.replace("%", "%%")
    return re.sub("%[n%]", lambda token: escaped if token[0] == "%n" else "%%", command)
