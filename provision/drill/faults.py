"""What is done to machines, each as one script, and how it is undone."""

from dataclasses import dataclass

from provision.drill.machines import Machines

HEALS_AFTER_S = 90
ROOM_MB = 48
"""What is left on the small disk before it is filled."""

_KILL_MYSQLD = "systemctl kill --signal=KILL mysql.service\n"

# The way back is set up first: a machine that can't be reached any more heals itself.
_HEAL = """
for other in "$@"; do
    [ -z "$(ip route show exact "$other/32" type blackhole)" ] || ip route del blackhole "$other/32"
done
"""
_CUT = """
set -eu
after_s=$1 heal=$2
shift 2
systemd-run --quiet --collect --unit=quartet-drill-heal --on-active="$after_s" \\
    sh -c "$heal" sh "$@"
for other in "$@"; do ip route replace blackhole "$other/32"; done
"""
_MEND = (
    """
set -eu
if systemctl --quiet is-active quartet-drill-heal.timer; then
    systemctl stop quartet-drill-heal.timer
fi
"""
    + _HEAL
)

# A disk of its own for the data: in memory, since a container can't have another one. What was
# mounted over is still to be seen below the other mount, which has to be private for that. The note
# tells that all data have arrived: only then is there anything to bring back. A script whose caller
# has gone runs to its end, and the next one waits for that.
_DISKS = """
set -eu
data=/var/lib/mysql below=/run/quartet-drill moved=/run/quartet-drill.moved
exec 9>/run/quartet-drill.lock
flock 9
is_small() { grep --quiet "^quartet-drill $data " /proc/mounts; }
is_left() { is_small || [ -e "$moved" ] || mountpoint --quiet "$below"; }
"""
_SMALL_DISK = (
    _DISKS
    + """
if is_left || mountpoint --quiet "$data"; then
    echo "$data is a mount already, or was one in a drill" >&2
    exit 1
fi
used_mb=$(du --summarize --block-size=1M "$data" | cut -f1)
systemctl stop mysql.service
mkdir -p "$below"
mount --bind /var/lib "$below"
mount --make-private "$below"
mount -t tmpfs -o "size=$((used_mb + $1))M" quartet-drill "$data"
cp -a "$below/mysql/." "$data/"
touch "$moved"
systemctl start mysql.service
"""
)
_FILL = "! dd if=/dev/zero of=/var/lib/mysql/quartet-drill.fill bs=64k 2>/dev/null\n"
_FREE = "rm -f /var/lib/mysql/quartet-drill.fill\n"
_OWN_DISK = (
    _DISKS
    + """
if is_small; then
    systemctl stop mysql.service
    if [ -e "$moved" ]; then
        rm -f "$data/quartet-drill.fill"
        find "$below/mysql" -mindepth 1 -delete
        cp -a "$data/." "$below/mysql/"
    fi
    umount "$data"
fi
rm -f "$moved"
if mountpoint --quiet "$below"; then umount "$below"; fi
systemctl reset-failed mysql.service
systemctl start mysql.service
"""
)
_IS_LEFT = _DISKS + "if is_left; then echo yes; fi\n"


@dataclass(frozen=True)
class Faults:
    """Faults, by machine."""

    machines: Machines

    def kill_mysqld(self, name: str) -> None:
        """`kill -9`; systemd starts it again after a few seconds, and it comes back read-only."""
        self.machines.run(name, _KILL_MYSQLD)

    def cut_off(self, name: str, others: list[str]) -> None:
        """Lose whatever a machine sends to these addresses, for at most HEALS_AFTER_S seconds."""
        self.machines.run(name, _CUT, str(HEALS_AFTER_S), _HEAL, *others)

    def reconnect(self, name: str, others: list[str]) -> None:
        """Undo it, whether it is still so or not."""
        self.machines.run(name, _MEND, *others)

    def give_small_disk(self, name: str) -> None:
        """Move a server's data to a disk that has little room; the server is restarted.

        QuartetError where they are on another disk than the machine's already.
        """
        self.machines.run(name, _SMALL_DISK, str(ROOM_MB), timeout_s=120)

    def fill_disk(self, name: str) -> None:
        """Leave no room on it."""
        self.machines.run(name, _FILL, timeout_s=60)

    def free_disk(self, name: str) -> None:
        """Make room again."""
        self.machines.run(name, _FREE)

    def give_own_disk(self, name: str) -> None:
        """Move the data back to where it belongs; the server is restarted."""
        self.machines.run(name, _OWN_DISK, timeout_s=120)

    def has_small_disk(self, name: str) -> bool:
        """Whether anything is left of that."""
        return bool(self.machines.run(name, _IS_LEFT, timeout_s=120).strip())
