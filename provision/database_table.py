"""The table of `inv db.status`."""

from typing import Any

from rich.markup import escape

from provision.database import View
from provision.report import make_console, make_table

_STYLES = {"primary": "bold green", "replica": "green", "fenced": "yellow", "unreachable": "red"}
_COLUMNS = ("server", "role", "executed", "lacks", "behind", "semi-sync", "errant", "remarks")


def print_databases(view: View) -> None:
    """Who is primary, what each lacks in transactions and in time, and who would be promoted."""
    table = make_table(*_COLUMNS)
    for server in view.servers:
        table.add_row(*_row(server, view))
    console = make_console()
    console.print(table)
    console.print(_summary(view))
    if view.data["problem"]:
        console.print(f"[red]{escape(view.data['problem'])}[/]")


def _row(server: dict[str, Any], view: View) -> tuple[str, ...]:
    style = _STYLES[server["role"]]
    is_replica = server["role"] == "replica"
    return (
        server["name"],
        f"[{style}]{server['role']}[/]",
        _lines(server["executed"]),
        "" if server["lacks"] is None else str(server["lacks"]),
        f"{server['lag_s']:.1f} s" if is_replica else "",
        _semi_sync(server),
        _lines(server["errant"]),
        "; ".join(_remarks(server, view)),
    )


def _semi_sync(server: dict[str, Any]) -> str:
    if server["semi_sync_source"]:
        return f"waits, {server['semi_sync_clients']} acknowledge"
    return "acknowledges" if server["receiver"] == "ON" else ""


def _remarks(server: dict[str, Any], view: View) -> list[str]:
    remarks = []
    if server["error"]:
        remarks.append(server["error"])
    if server["role"] == "replica" and (server["receiver"], server["applier"]) != ("ON", "ON"):
        remarks.append(f"receiver {server['receiver']}, applier {server['applier']}")
    if _follows_another(server, view):
        remarks.append(f"follows {server['source']}: ./lab db.rejoin {server['name']}")
    if server["unapplied"]:
        remarks.append(f"{server['unapplied']} received and not applied")
    if server["answers"] and not server["agent"]:
        remarks.append("its agent does not answer")
    if server["closed_because"]:
        remarks.append(f"closed itself: {server['closed_because']}")
    if server["name"] == view.data["candidate"]:
        remarks.append("would be promoted")
    return remarks


def _follows_another(server: dict[str, Any], view: View) -> bool:
    """Whether it missed a change of the primary."""
    head = next((each for each in view.servers if each["role"] == "primary"), None)
    return bool(head and server["source"] and server["source"] != head["address"])


def _summary(view: View) -> str:
    failover = "automatic" if view.data["automatic"] else "by command (./lab db.failover)"
    needed = view.data["acknowledgements"]
    head = view.primary or "nobody"
    if not any(server["role"] == "primary" for server in view.servers):
        head = f"nobody takes writes; the replicas follow {head}" if view.primary else head
    return f"primary: {head}; a write needs {needed} acknowledgement(s); failover {failover}"


def _lines(gtids: str) -> str:
    """One server's transactions a line, each uuid by its first part."""
    parts = [part.partition(":") for part in gtids.split(",") if part]
    return "\n".join(f"{uuid[:8]}…:{spans}" for uuid, _, spans in parts)
