"""The agents' status, healthy unless it is said otherwise."""

from typing import Any


def server(name: str, **facts: Any) -> dict[str, Any]:
    healthy = {
        "name": name,
        "role": "replica",
        "address": name,
        "source": "web-01",
        "answers": True,
        "receiver": "ON",
        "applier": "ON",
        "lacks": 0,
        "errant": "",
        "error": "",
    }
    return healthy | facts


def status(*replicas: dict[str, Any], **primary: Any) -> dict[str, Any]:
    head = server("web-01", **{"role": "primary", "semi_sync_clients": len(replicas), **primary})
    return {"primary": "web-01", "servers": [head, *replicas]}
