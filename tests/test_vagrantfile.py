"""The Vagrantfile reads topology.yml as the library does, and holds no fact of its own.

It is evaluated by plain Ruby: a few lines stand in for Vagrant and write down what it is told.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from provision.topology import load

REPOSITORY = Path(__file__).parents[1]
VAGRANTFILE = REPOSITORY / "Vagrantfile"

RECORDER = """
require "json"

class Recorder
  attr_reader :said

  def initialize(said) = @said = said

  def method_missing(name, *arguments, **options)
    said.merge!(name.to_s.delete_suffix("=") => [*arguments, options])
  end

  def respond_to_missing?(*) = true

  def vm = self

  def define(name) = yield(Recorder.new((said["machines"] ||= {})[name] = {}))

  def provider(name) = yield(Recorder.new((said["providers"] ||= {})[name] = {}))
end

module Vagrant
  def self.configure(_version)
    yield recorder = Recorder.new({})
    puts JSON.generate(recorder.said)
  end
end

load ARGV.fetch(0)
"""

Change = Callable[[dict[str, Any]], object]
Lab = Callable[..., Path]

needs_ruby = pytest.mark.skipif(
    shutil.which("ruby") is None, reason="ruby, which evaluates the Vagrantfile, is not installed"
)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """Lay out a Vagrantfile beside a topology.yml that was changed."""

    def lab(change: Change = lambda _: None) -> Path:
        yaml = YAML(typ="safe", pure=True)
        data = yaml.load(REPOSITORY / "topology.yml")
        data["application"]["path"] = str(REPOSITORY / data["application"]["path"])
        change(data)
        yaml.dump(data, tmp_path / "topology.yml")
        shutil.copy(VAGRANTFILE, tmp_path)
        return tmp_path / "topology.yml"

    return lab


def run_ruby(topology: Path) -> subprocess.CompletedProcess[str]:
    command = ["ruby", "-W", "-e", RECORDER, str(topology.with_name("Vagrantfile"))]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def evaluate(topology: Path) -> dict[str, Any]:
    done = run_ruby(topology)
    assert (done.returncode, done.stderr) == (0, "")
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def first(value: list[Any]) -> object:
    return value[0]


@needs_ruby
def test_every_machine_is_defined_as_the_topology_has_it(lab: Lab) -> None:
    path = lab()
    topology = load(path)
    told = evaluate(path)["machines"]
    assert list(told) == [machine.name for machine in topology.machines]
    for machine in topology.machines:
        node = told[machine.name]
        netmask = str(topology.network.netmask)
        assert node["hostname"] == [machine.name, {}]
        assert node["network"] == [
            "private_network",
            {"ip": str(machine.address), "netmask": netmask},
        ]
        assert list(node["providers"]) == ["virtualbox", "libvirt"]  # the first is the default
        for provider in node["providers"].values():
            assert first(provider["memory"]) == machine.memory_mb
            assert first(provider["cpus"]) == machine.cpus


@needs_ruby
def test_virtualbox_shows_the_lab_in_each_machines_name(lab: Lab) -> None:
    told = evaluate(lab(lambda data: data.update(name="other")))["machines"]
    assert first(told["web-01"]["providers"]["virtualbox"]["name"]) == "other-web-01"


@needs_ruby
def test_the_box_is_the_models_default(lab: Lab) -> None:
    path = lab()
    told = evaluate(path)
    assert first(told["box"]) == load(path).vagrant.box
    assert "box_version" not in told


@needs_ruby
def test_box_and_version_come_from_the_topology(lab: Lab) -> None:
    chosen = {"box": "example/debian", "box_version": "1.2.3"}
    path = lab(lambda data: data.update(vagrant=chosen))
    told = evaluate(path)
    vagrant = load(path).vagrant
    assert [first(told["box"]), first(told["box_version"])] == [vagrant.box, vagrant.box_version]
    assert vagrant.box == "example/debian"


@needs_ruby
def test_a_machine_without_sizes_gets_the_models_defaults(lab: Lab) -> None:
    path = lab(
        lambda data: data["machines"].update(
            {"web-03": {"address": "192.168.56.14", "roles": ["web"]}}
        )
    )
    machine = load(path).machine("web-03")
    for provider in evaluate(path)["machines"]["web-03"]["providers"].values():
        sizes = (first(provider["memory"]), first(provider["cpus"]))
        assert sizes == (machine.memory_mb, machine.cpus)


@needs_ruby
@pytest.mark.parametrize("prefix", [16, 22, 24, 28])
def test_the_netmask_is_the_networks(lab: Lab, prefix: int) -> None:
    network = {16: "192.168.0.0", 22: "192.168.56.0", 24: "192.168.56.0", 28: "192.168.56.0"}
    path = lab(lambda data: data.update(network=f"{network[prefix]}/{prefix}"))
    [_, options] = evaluate(path)["machines"]["lb-01"]["network"]
    assert options["netmask"] == str(load(path).network.netmask)


@needs_ruby
def test_nothing_is_synced_and_nothing_provisions(lab: Lab) -> None:
    told = evaluate(lab())
    assert told["synced_folder"] == [".", "/vagrant", {"disabled": True}]
    assert all("provision" not in part for part in (told, *told["machines"].values()))


@needs_ruby
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.pop("machines"), "missing: machines"),
        (lambda data: data.pop("network"), "missing: network"),
        (lambda data: data["machines"]["db-03"].pop("address"), "missing: machines.db-03.address"),
        (lambda data: data["machines"].update(extra=None), "missing: machines.extra.address"),
        (lambda data: data.update(machines={}), "machines: has to be a block"),
        (lambda data: data.update(network="nowhere"), "network: invalid address"),
    ],
)
def test_what_is_missing_is_said_by_its_place(lab: Lab, change: Change, message: str) -> None:
    done = run_ruby(lab(change))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"topology.yml: {message}")
    assert done.stderr.count("\n") == 1  # a line for the person, and no backtrace


@needs_ruby
@pytest.mark.parametrize("text", [None, "machines: [", "--- !ruby/object:Object {}\n"])
def test_a_topology_that_cannot_be_read_is_said_so(lab: Lab, text: str | None) -> None:
    path = lab()
    path.unlink()
    if text is not None:
        path.write_text(text)
    done = run_ruby(path)
    assert done.returncode == 1
    assert done.stderr.startswith("topology.yml: can't be read: ")


def test_the_vagrantfile_holds_no_address() -> None:
    assert re.findall(r"\d{1,3}(?:\.\d{1,3}){3}", VAGRANTFILE.read_text()) == []
