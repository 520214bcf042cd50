"""What the other machines' agents say."""

import http.client
import json
from dataclasses import dataclass
from typing import Any

from dbagent.config import Config, Peer
from dbagent.survey import at_once

ANSWER_S = 0.5


@dataclass(frozen=True)
class Word:
    """An agent's word on its own server, and on its source.

    `polled_s`: seconds since its source's agent last asked it, as one that takes writes does
    several times a second. `suspects_s`: for how long it has seen no primary. `acted_s`: seconds
    since a failover that was done by itself. `closed`: whether the server takes no writes, and
    won't when it wakes up. `closed_because`: why the agent closed it.
    """

    name: str
    answers: bool = False
    read_only: bool = False
    source: str = ""
    receiver: str = "OFF"
    polled_s: float = 0.0
    suspects_s: float = 0.0
    acted_s: float = 1e9
    closed: bool = False
    closed_because: str = ""
    is_restarting: bool = False


def word_of(config: Config, peer: Peer, answer_s: float = ANSWER_S) -> Word:
    """Ask one machine's agent; raises OSError or ValueError where it doesn't answer."""
    client = http.client.HTTPConnection(
        peer.address, config.agent_port, timeout=answer_s * config.patience
    )
    try:
        client.request("GET", f"/status?from={config.machine}")
        said: Any = json.loads(client.getresponse().read())
    except http.client.HTTPException as error:
        raise OSError(str(error)) from error
    finally:
        client.close()
    if not isinstance(said, dict) or said.get("name") != peer.name:
        raise ValueError(f"this is no word of {peer.name}: {said}")
    # One of another release may say less.
    known = [name for name in Word.__dataclass_fields__ if name in said]
    return Word(**{name: said[name] for name in known})


def words(config: Config, peers: tuple[Peer, ...], answer_s: float = ANSWER_S) -> dict[str, Word]:
    """Ask several at once; those that don't answer in that time are left out."""
    answers = at_once(peers, lambda peer: word_of(config, peer, answer_s))
    return {name: each for name, each in answers.items() if isinstance(each, Word)}
