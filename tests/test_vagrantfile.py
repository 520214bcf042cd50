"""The Vagrantfile reads topology.yml as the library does, and holds no fact of its own.

It is evaluated by plain Ruby: a few lines stand in for Vagrant and write down what it is told.
"""

import json
import os
import re
import shutil
import subprocess
import sys
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
require "yaml"

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

  # Vagrant calls it with the machine that it is about to boot.
  def trigger = self

  def before(_action) = yield(self)

  def ruby = yield(nil, Struct.new(:provider_name).new(ENV.fetch("BOOTED", "none").to_sym))
end

# Vagrant 2.3 brings a Ruby 2.7, whose YAML is without it.
YAML.singleton_class.undef_method(:safe_load_file) if YAML.respond_to?(:safe_load_file)

CONF = "/etc/vbox/networks.conf"
File.singleton_class.prepend(Module.new do
  def exist?(path) = path == CONF ? ENV.key?("NETWORKS_CONF") : super

  def readlines(path) = path == CONF ? ENV["NETWORKS_CONF"].lines : super
end)

module Vagrant
  def self.configure(_version)
    yield recorder = Recorder.new({})
    recorder.said["default_provider"] = ENV["VAGRANT_DEFAULT_PROVIDER"]
    puts JSON.generate(recorder.said)
  end
end

load ARGV.fetch(0)
"""

needs_linux = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="VirtualBox restricts its networks on Linux"
)

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


def run_ruby(topology: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    command = ["ruby", "-W", "-e", RECORDER, str(topology.with_name("Vagrantfile"))]
    ours = ("QUARTET_TOPOLOGY", "VAGRANT_DEFAULT_PROVIDER")
    environment = {k: v for k, v in os.environ.items() if k not in ours} | settings
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, env=environment
    )


def evaluate(topology: Path, **settings: str) -> dict[str, Any]:
    done = run_ruby(topology, **settings)
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
            {"ip": str(machine.address), "netmask": netmask, "libvirt__dhcp_enabled": False},
        ]
        assert list(node["providers"]) == ["virtualbox", "libvirt"]  # the first is the default
        for provider in node["providers"].values():
            assert first(provider["memory"]) == machine.memory_mb
            assert first(provider["cpus"]) == machine.cpus


@needs_ruby
def test_virtualbox_shows_the_lab_in_each_machines_name(lab: Lab) -> None:
    told = evaluate(lab(lambda data: data.update(name="other")))["machines"]
    providers = told["web-01"]["providers"]
    assert first(providers["virtualbox"]["name"]) == "other-web-01"
    assert first(providers["libvirt"]["default_prefix"]) == "other-"


@needs_ruby
@pytest.mark.parametrize(
    "chosen",
    [
        None,
        {"box_version": None},
        {"box_version": "202502.21.0"},
        {"box": "bento/ubuntu-24.04"},
        {"box": "example/debian"},
        {"box": "bento/ubuntu-24.04", "box_version": "202502.21.0"},
    ],
)
def test_the_box_and_its_version_are_the_models(lab: Lab, chosen: dict[str, Any] | None) -> None:
    path = lab(lambda data: data.update(vagrant=chosen))
    told, vagrant = evaluate(path), load(path).vagrant
    assert first(told["box"]) == vagrant.box
    assert first(told.get("box_version", [None])) == vagrant.box_version


@needs_ruby
def test_the_default_box_is_pinned_and_another_box_has_no_version_of_it(lab: Lab) -> None:
    assert evaluate(lab())["box_version"][0]
    told = evaluate(lab(lambda data: data.update(vagrant={"box": "example/debian"})))
    assert "box_version" not in told


@needs_ruby
def test_a_boot_may_take_longer_than_vagrants_own_five_minutes(lab: Lab) -> None:
    seconds = first(evaluate(lab())["boot_timeout"])
    assert isinstance(seconds, int)
    assert seconds > 300


@needs_ruby
def test_another_topology_is_read_where_the_environment_names_it(lab: Lab, tmp_path: Path) -> None:
    path = lab(lambda data: data.update(name="other"))
    other = path.rename(tmp_path / "big lab.yml")
    told = evaluate(path, QUARTET_TOPOLOGY=str(other))
    assert first(told["machines"]["lb-01"]["providers"]["libvirt"]["default_prefix"]) == "other-"
    done = run_ruby(path, QUARTET_TOPOLOGY=str(tmp_path / "none.yml"))
    assert done.stderr.startswith("none.yml: can't be read: ")


@needs_ruby
@pytest.mark.parametrize(
    ("provider", "wished", "default"),
    [
        ("nspawn", {}, None),
        ("libvirt", {}, "libvirt"),
        ("virtualbox", {}, "virtualbox"),
        ("libvirt", {"VAGRANT_DEFAULT_PROVIDER": "virtualbox"}, "virtualbox"),
    ],
)
def test_the_provider_of_the_topology_is_vagrants_default(
    lab: Lab, provider: str, wished: dict[str, str], default: str | None
) -> None:
    path = lab(lambda data: data.update(provider=provider))
    assert evaluate(path, **wished)["default_provider"] == default


@needs_ruby
def test_for_servers_that_exist_there_is_nothing_to_boot(lab: Lab) -> None:
    done = run_ruby(lab(lambda data: data.update(provider="ssh")))
    assert done.returncode == 1
    assert done.stderr == (
        "topology.yml: provider: ssh means servers that exist already; nothing to boot\n"
    )


def in_network(network: str) -> Change:
    """Move the lab to another network, its machines with it."""

    def change(data: dict[str, Any]) -> None:
        data["network"] = network
        start = network.rsplit(".", 1)[0]
        for machine in data["machines"].values():
            machine["address"] = f"{start}.{machine['address'].rsplit('.', 1)[1]}"

    return change


@needs_ruby
@needs_linux
@pytest.mark.parametrize(
    ("network", "conf"),
    [
        ("10.9.8.0/24", {}),
        ("192.168.48.0/20", {}),  # in part outside
        ("192.168.56.0/24", {"NETWORKS_CONF": "# ours\n* 10.0.0.0/8 fd00::/8\n"}),
        ("10.9.8.0/24", {"NETWORKS_CONF": ""}),
    ],
)
def test_virtualbox_is_told_before_it_makes_a_machine_where_it_may_not(
    lab: Lab, network: str, conf: dict[str, str]
) -> None:
    path = lab(in_network(network))
    done = run_ruby(path, BOOTED="virtualbox", **conf)
    assert done.returncode == 1
    assert done.stderr.startswith("topology.yml: network: VirtualBox has host-only networks in ")
    assert "/etc/vbox/networks.conf" in done.stderr
    assert run_ruby(path, BOOTED="libvirt", **conf).returncode == 0


@needs_ruby
@pytest.mark.parametrize(
    ("network", "conf"),
    [
        ("192.168.56.0/24", {}),
        ("192.168.63.0/24", {}),
        ("10.9.8.0/24", {"NETWORKS_CONF": "* 172.16.0.0/12\n  * 10.0.0.0/8 fd00::/8\n"}),
    ],
)
def test_virtualbox_boots_machines_where_it_may(
    lab: Lab, network: str, conf: dict[str, str]
) -> None:
    assert run_ruby(lab(in_network(network)), BOOTED="virtualbox", **conf).returncode == 0


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


def test_the_vagrantfile_holds_no_address_but_virtualboxs_own_range() -> None:
    assert re.findall(r"\d{1,3}(?:\.\d{1,3}){3}\S*\b", VAGRANTFILE.read_text()) == [
        "192.168.56.0/21"
    ]


@pytest.mark.parametrize(
    ("command", "settings"),
    [
        (["ruby", "-wc", "Vagrantfile"], {}),
        (["rubocop", "Vagrantfile"], {}),
        (["vagrant", "validate"], {}),
        (["vagrant", "validate"], {"VAGRANT_NO_PLUGINS": "1"}),  # VirtualBox is all it knows then
    ],
    ids=["ruby", "rubocop", "vagrant", "vagrant alone"],
)
def test_what_reads_ruby_has_nothing_to_say(
    command: list[str], settings: dict[str, str], tmp_path: Path
) -> None:
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed: apt-get install {command[0]}")
    done = _run(command, tmp_path, settings)
    if "No usable default provider" in done.stderr:
        done = _run([*command, "--ignore-provider"], tmp_path, settings)
    assert done.returncode == 0, done.stdout + done.stderr


def _run(
    command: list[str], folder: Path, settings: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"VAGRANT_DOTFILE_PATH": str(folder / ".vagrant")} | settings
    return subprocess.run(
        command,
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
