"""A topology file that is wrong in many ways, or is none at all, is refused in one readable go."""

from collections.abc import Callable
from pathlib import Path

import pytest

from provision.topology import TopologyError, load

Write = Callable[..., Path]

SEVERAL = [
    ("domain: foobar.com", "domain: foobar"),
    ("provider: nspawn", "provider: docker"),
    ("board.wsgi:application", "board"),
    ("static: static", "static: assets"),
    ("roles: [haproxy, dns]", "rols: [haproxy]"),
    ("cpus: 1", "cpus: true"),
    ("192.168.56.12", "10.0.0.5"),
    ("  db-03:", "  web-02:"),
    ("  web-01:", "  web_01:"),
]


def test_mistakes_of_every_kind_are_reported_at_once_in_file_order(write: Write) -> None:
    with pytest.raises(TopologyError) as caught:
        load(write(*SEVERAL))
    assert [(problem.line, problem.path) for problem in caught.value.problems] == [
        (2, "domain"),
        (4, "provider"),
        (8, "application.entry_point"),
        (9, "application.static"),
        (18, "machines.lb-01.rols"),
        (19, "machines.lb-01.cpus"),
        (21, "machines.web_01"),
        (25, "machines.web-02.address"),
        (28, "machines.web-02"),
    ]


def test_the_error_counts_the_mistakes_and_gives_each_a_line(write: Write) -> None:
    path = write(("192.168.56.12", "10.0.0.5"), ("provider: nspawn", "provider: docker"))
    with pytest.raises(TopologyError) as caught:
        load(path)
    assert str(caught.value).splitlines() == [
        "topology.yml: 2 mistakes",
        "  line 4, provider: 'docker' is not one of nspawn, virtualbox, libvirt, ssh",
        "  line 25, machines.web-02.address: 10.0.0.5 is outside the network 192.168.56.0/24;"
        " pick one of 192.168.56.2 to 192.168.56.254",
        f"  next: correct {path}, then run the same command again",
    ]


def test_a_single_mistake_is_counted_in_the_singular(write: Write) -> None:
    with pytest.raises(TopologyError, match=r"^topology.yml: 1 mistake\n"):
        load(write(("workers: 2", "workers: 0")))


def test_a_wrong_network_is_not_blamed_on_the_addresses(write: Write) -> None:
    with pytest.raises(TopologyError) as caught:
        load(write(("network: 192.168.56.0/24", "network: 8.8.8.0/24")))
    assert [problem.path for problem in caught.value.problems] == ["network"]


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"", None, "it is empty"),
        (b"# nothing yet\n", None, "it is empty"),
        (b"- lb-01\n- web-01\n", 1, "expected 'key: value' lines"),
        (b"just words\n", 1, "expected 'key: value' lines"),
        (b"name: quartet\ndomain: [foobar\n", 3, "flow sequence"),
        (b"name: quartet\n\tdomain: foobar.com\n", 2, "not YAML"),
        (b"name: quartet\n---\nname: again\n", 2, "single document"),
        (b"name: &x quartet\ndomain: *x\n", 1, "alias"),
        (b"name: !!python/name:os.system\n", 1, "not YAML"),
        (b"domain: !!timestamp 2024-13-45\n", None, "not YAML"),
        (b"? [a, b]\n: c\n", 1, "a key has to be one word"),
        (b"name: " + b"[" * 500, 1, "depth"),
        (b"name: \xff\n", None, "UTF-8"),
        (b"name: a\x00b\n", None, "not YAML"),
    ],
)
def test_what_is_no_mapping_in_yaml_is_refused_with_its_line(
    tmp_path: Path, content: bytes, line: int | None, message: str
) -> None:
    path = tmp_path / "topology.yml"
    path.write_bytes(content)
    with pytest.raises(TopologyError) as caught:
        load(path)
    (problem,) = caught.value.problems
    assert problem.line == line
    assert message in problem.message


def test_a_missing_file_is_named_in_full(tmp_path: Path) -> None:
    with pytest.raises(TopologyError, match=f"there is no file {tmp_path}/topology.yml"):
        load(tmp_path / "topology.yml")


def test_a_folder_in_the_files_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TopologyError, match="can't be read"):
        load(tmp_path)


@pytest.mark.parametrize("machines", ["", " {}", " []", " lb-01", " [{name: lb-01}]"])
def test_machines_that_are_no_block_are_one_problem(write: Write, machines: str) -> None:
    path = write()
    head = path.read_text(encoding="utf-8").split("machines:")[0]
    path.write_text(f"{head}machines:{machines}\n", encoding="utf-8")
    with pytest.raises(TopologyError) as caught:
        load(path)
    assert [(problem.path, problem.line) for problem in caught.value.problems] == [("machines", 15)]


def test_an_almost_empty_file_names_every_missing_key(write: Write) -> None:
    path = write()
    path.write_text("name: quartet\n", encoding="utf-8")
    with pytest.raises(TopologyError) as caught:
        load(path)
    missing = {"domain", "network", "provider", "load_balancing", "application", "machines"}
    assert {problem.path for problem in caught.value.problems} == missing
