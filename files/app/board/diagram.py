"""Where each part of the system stands in the picture: columns are tiers, rows are machines.

Web and database machines get a row each, so that a machine with both roles is one frame around two
parts. The page draws this as SVG; its script only switches classes on and off.
"""

from dataclasses import dataclass
from itertools import permutations

from board.states import State
from board.topology import Machine, Topology

PART_WIDTH, PART_HEIGHT = 180, 64
PADDING, HEADING = 14, 26
ROW = HEADING + PART_HEIGHT + PADDING + 22
USER_X, BALANCER_X, WEB_X, DATABASE_X = 20, 168, 440, 720
USER_WIDTH = 84
WIDTH = DATABASE_X + PART_WIDTH + 112
MARGIN = 20
BALANCING = {
    "active-active": "active-active: in turn",
    "active-passive": "active-passive: first one",
}


@dataclass(frozen=True)
class Part:
    """A program on a machine; the upper left corner, its two lines and its classes."""

    machine: str
    kind: str
    x: float
    y: float
    title: str
    note: str
    width: int = PART_WIDTH
    height: int = PART_HEIGHT
    role: str = ""
    is_serving: bool = False

    @property
    def middle(self) -> float:
        """Its vertical middle."""
        return self.y + self.height / 2


@dataclass(frozen=True)
class Frame:
    """A machine, drawn around its parts."""

    name: str
    address: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Link:
    """A line between the parts of two machines."""

    kind: str
    source: str
    target: str
    path: str
    is_on: bool


@dataclass(frozen=True)
class Diagram:
    """Everything in the picture, and its size."""

    frames: list[Frame]
    parts: list[Part]
    links: list[Link]
    user_y: float
    width: int
    height: float

    @classmethod
    def of(
        cls, topology: Topology, states: list[State], web: str, database: str | None
    ) -> "Diagram":
        """Draw the topology, with the path of one request through web and database."""
        rows = [machine for machine in topology.machines if machine.is_web or machine.is_database]
        balancers = [machine for machine in topology.machines if machine.is_balancer]
        height = MARGIN * 2 + ROW * max(len(rows), len(balancers), 1) - 22
        roles = {state.name: state for state in states}

        parts = [
            _balancer(machine, topology, _centred(index, len(balancers), height))
            for index, machine in enumerate(balancers)
        ]
        for index, machine in enumerate(rows):
            y = MARGIN + index * ROW + HEADING
            if machine.is_web:
                parts.append(_web(machine, y, machine.name == web))
            if machine.is_database:
                parts.append(
                    _database(machine, y, roles.get(machine.name), machine.name == database)
                )

        user_y = parts[0].middle if len(balancers) == 1 else height / 2
        links = _links(parts, user_y, web, database)
        machines = [machine for machine in topology.machines if machine in rows + balancers]
        return cls(_frames(machines, parts), parts, links, user_y, WIDTH, height)


def note_of(state: State | None) -> str:
    """Say in two or three words how a database is."""
    notes = {"primary": "primary · writable", "replica": "replica · read-only"}
    return notes.get(state.role, state.role) if state else "not used here"


def _centred(index: int, count: int, height: float) -> float:
    top = (height - (ROW * count - 22)) / 2
    return top + index * ROW + HEADING


def _balancer(machine: Machine, topology: Topology, y: float) -> Part:
    title = " + ".join(
        name for role, name in (("haproxy", "HAProxy"), ("dns", "DNS")) if role in machine.roles
    )
    note = BALANCING.get(topology.load_balancing, topology.load_balancing)
    return Part(machine.name, "balancer", BALANCER_X, y, title, note)


def _web(machine: Machine, y: float, is_serving: bool) -> Part:
    return Part(
        machine.name, "web", WEB_X, y, "Nginx + gunicorn", "this board", is_serving=is_serving
    )


def _database(machine: Machine, y: float, state: State | None, is_serving: bool) -> Part:
    role = state.role if state else "unused"
    return Part(
        machine.name,
        "database",
        DATABASE_X,
        y,
        "MySQL",
        note_of(state),
        role=role,
        is_serving=is_serving,
    )


def _frames(machines: list[Machine], parts: list[Part]) -> list[Frame]:
    frames = []
    for machine in machines:
        own = [part for part in parts if part.machine == machine.name]
        left, top = min(part.x for part in own), min(part.y for part in own)
        right = max(part.x + part.width for part in own)
        bottom = max(part.y + part.height for part in own)
        frames.append(
            Frame(
                machine.name,
                machine.address,
                left - PADDING,
                top - HEADING,
                right - left + 2 * PADDING,
                bottom - top + HEADING + PADDING,
            )
        )
    return frames


def _links(parts: list[Part], user_y: float, web: str, database: str | None) -> list[Link]:
    balancers = [part for part in parts if part.kind == "balancer"]
    webs = [part for part in parts if part.kind == "web"]
    stores = [part for part in parts if part.kind == "database" and part.role != "unused"]
    links = [
        Link("request", "user", b.machine, _curve(USER_X + USER_WIDTH, user_y, b.x, b.middle), True)
        for b in balancers
    ]
    links += [
        Link("request", b.machine, w.machine, _between(b, w), w.machine == web)
        for b in balancers
        for w in webs
    ]
    links += [
        Link(
            "query", w.machine, d.machine, _between(w, d), (w.machine, d.machine) == (web, database)
        )
        for w in webs
        for d in stores
    ]
    links += [
        Link("replication", a.machine, b.machine, _around(a, b), _replicates(a, b))
        for a, b in permutations(stores, 2)
    ]
    return sorted(links, key=lambda link: link.is_on)


def _replicates(source: Part, target: Part) -> bool:
    return (source.role, target.role) == ("primary", "replica")


def _between(left: Part, right: Part) -> str:
    return _curve(left.x + left.width, left.middle, right.x, right.middle)


def _curve(x1: float, y1: float, x2: float, y2: float) -> str:
    bend = (x2 - x1) / 2
    return f"M{x1:g} {y1:g}C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}"


def _around(source: Part, target: Part) -> str:
    """Leave and arrive on the right, further out the longer the way."""
    x = source.x + source.width
    out = x + PADDING + min(20 + abs(target.middle - source.middle) / 4, 92)
    y1, y2 = source.middle - 8, target.middle + (8 if target.y < source.y else -8)
    return f"M{x:g} {y1:g}C{out:g} {y1:g} {out:g} {y2:g} {x:g} {y2:g}"
