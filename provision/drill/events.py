"""The events: what befalls the data tier while the writers write."""

import time

from provision.drill.happening import Event, Strike, repeat_unless_writable, take_over, told
from provision.drill.restoring import bring_data_back
from provision.drill.scene import Scene

REPLICA_DIES_WITHIN_S = 1.5
DISK_STANDS_STILL_S = 1.0
NOTICES_WITHIN_S = 20.0
# About how long they take.
KILLED_WITHIN_S = {"db.switchover": 3.0, "db.failover": 3.0, "db.rejoin": 3.0}


class Switchover(Event):
    """A planned change of the primary."""

    def strike(self, scene: Scene) -> Strike:
        """Ask for it."""
        done = scene.operator.run("db.switchover")
        return Strike(None, told(done))


class MysqldKill(Event):
    """Kill -9 of mysqld on the primary."""

    def strike(self, scene: Scene) -> Strike:
        """Kill it; systemd starts it again, read-only."""
        primary, began = scene.tier.primary(), time.monotonic()
        scene.faults.kill_mysqld(primary)
        return take_over(scene, began, f"{primary}: mysqld killed")


class PowerCut(Event):
    """Power cut of the primary's machine."""

    def strike(self, scene: Scene) -> Strike:
        """Pull the plug; restoring boots it again."""
        primary = scene.tier.primary()
        cut = scene.must("power-cut", "--limit", primary)
        return take_over(scene, cut.began, f"{primary}: power cut")


class Partition(Event):
    """The primary's machine is cut off from the others, though not from here."""

    primary = ""

    def strike(self, scene: Scene) -> Strike:
        """Cut it off."""
        self.primary, began = scene.tier.primary(), time.monotonic()
        scene.faults.cut_off(self.primary, scene.addresses_but(self.primary))
        return take_over(scene, began, f"{self.primary}: cut off")

    def undo(self, scene: Scene) -> None:
        """Reconnect it."""
        if self.primary:
            scene.faults.reconnect(self.primary, scene.addresses_but(self.primary))


class ReplicaKill(Event):
    """Kill -9 of a replica's mysqld during a switchover."""

    def strike(self, scene: Scene) -> Strike:
        """Kill one of them at a random moment; repeat the command where writes don't go on."""
        replica = scene.dice.choice(scene.tier.replicas())
        after_s = scene.dice.uniform(0, REPLICA_DIES_WITHIN_S)
        running = scene.operator.start("db.switchover")
        time.sleep(after_s)
        scene.faults.kill_mysqld(replica)
        done = running.wait()
        note = f"{replica} killed after {after_s:.1f} s; {told(done)}"
        return Strike(None, note + repeat_unless_writable(scene, "db.switchover"))


class OperatorKill(Event):
    """Kill -9 of a command about roles at a random moment, then one repeat of it if need be."""

    def strike(self, scene: Scene) -> Strike:
        """Kill the commands in turn, from trial to trial."""
        command = list(KILLED_WITHIN_S)[(scene.number - 1) % len(KILLED_WITHIN_S)]
        words = self._set_the_stage(scene, command)
        moment_s = scene.dice.uniform(0, KILLED_WITHIN_S[command])
        running = scene.operator.start(*words)
        was_running = running.kill(after_s=moment_s)
        note = f"{command} " + ("killed" if was_running else "had ended")
        note += f" after {moment_s:.1f} s"
        since = running.began if command == "db.failover" else None
        return Strike(since, note + repeat_unless_writable(scene, *words))

    def _set_the_stage(self, scene: Scene, command: str) -> list[str]:
        """Bring about what the command is for; returns its words."""
        if command == "db.switchover":
            return [command]
        primary = scene.tier.primary()
        scene.faults.kill_mysqld(primary)
        if command == "db.failover":
            return [command]
        scene.must("db.failover")
        return [command, primary]


class DiskFull(Event):
    """The primary's disk has no room left."""

    machine = ""

    def prepare(self, scene: Scene) -> None:
        """Give a replica a small disk and make it the primary."""
        self.machine = scene.dice.choice(scene.tier.replicas())
        scene.faults.give_small_disk(self.machine)
        scene.must("db.rejoin", self.machine)
        scene.must("db.switchover", "--to", self.machine)

    def strike(self, scene: Scene) -> Strike:
        """Fill the disk; fail over once writes stand still, and make room if that was no help."""
        scene.faults.fill_disk(self.machine)
        note = f"{self.machine}: disk filled"
        if not scene.stops(DISK_STANDS_STILL_S, within_s=NOTICES_WITHIN_S):
            return Strike(None, f"{note}; writes went on all the same")
        done = scene.operator.run("db.failover")
        note += f"; {told(done)}"
        if scene.flows(done.ended):
            return Strike(done.began, note)
        scene.faults.free_disk(self.machine)
        return Strike(time.monotonic(), f"{note}; room made")

    def undo(self, scene: Scene) -> None:
        """Give it its own disk back, while another one is the primary."""
        if self.machine:
            bring_data_back(scene, self.machine)


EVENTS: dict[str, type[Event]] = {
    "switchover": Switchover,
    "mysqld-kill": MysqldKill,
    "power-cut": PowerCut,
    "partition": Partition,
    "replica-kill": ReplicaKill,
    "operator-kill": OperatorKill,
    "disk-full": DiskFull,
}

AUTOMATIC = frozenset({"mysqld-kill", "power-cut", "partition"})
"""Those that the agents see to by themselves where the topology says so."""
