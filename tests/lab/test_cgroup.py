"""Cgroups and mounts, from what the kernel lists."""

from pathlib import Path

import pytest

from provision.errors import QuartetError
from provision.lab import cgroup, mounts

MOUNTINFO = """\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw
38 31 0:35 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
50 27 0:41 / /lab/a\\040b rw,relatime - overlay quartet rw
51 50 0:42 / /lab/a\\040b/proc rw,relatime - proc proc rw
52 27 0:43 / /laboratory rw,relatime - tmpfs tmpfs rw
"""


@pytest.fixture
def mountinfo(tmp_path: Path) -> Path:
    path = tmp_path / "mountinfo"
    path.write_text(MOUNTINFO)
    return path


def test_mounts_are_listed_innermost_first(
    monkeypatch: pytest.MonkeyPatch, mountinfo: Path
) -> None:
    monkeypatch.setattr(mounts, "MOUNTINFO", mountinfo)
    assert mounts.mount_points(Path("/lab")) == [Path("/lab/a b/proc"), Path("/lab/a b")]
    assert mounts.is_mounted(Path("/lab/a b"))
    assert not mounts.is_mounted(Path("/lab"))


def test_unified_hierarchy_is_found_on_a_hybrid_host(
    monkeypatch: pytest.MonkeyPatch, mountinfo: Path
) -> None:
    monkeypatch.setattr(cgroup, "MOUNTINFO", mountinfo)
    assert cgroup.unified_root() == Path("/sys/fs/cgroup/unified")


def test_host_without_the_unified_hierarchy_is_told_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "none").touch()
    monkeypatch.setattr(cgroup, "MOUNTINFO", tmp_path / "none")
    with pytest.raises(QuartetError, match="mount -t cgroup2"):
        cgroup.unified_root()


def test_pids_are_those_of_all_descendants(tmp_path: Path) -> None:
    (tmp_path / "payload").mkdir()
    (tmp_path / "cgroup.procs").write_text("12\n")
    (tmp_path / "payload/cgroup.procs").write_text("34\n56\n")
    assert sorted(cgroup.Cgroup(tmp_path).pids()) == [12, 34, 56]


def test_cgroup_that_is_gone_holds_nothing(tmp_path: Path) -> None:
    gone = cgroup.Cgroup(tmp_path / "gone")
    gone.kill()
    gone.remove()
    assert not gone.is_populated()
    assert gone.pids() == []
