"""Which provider has the machines: by their traces beside the topology, or as it is described."""

from dataclasses import replace
from pathlib import Path

import pytest

from provision.errors import QuartetError
from provision.lab import choice
from provision.lab.choice import chosen_provider, providers_in_use, refuse_a_second
from provision.lab.places import Places
from provision.topology import Provider, Topology
from tests.site_parts import TOPOLOGY


@pytest.fixture(autouse=True)
def lab_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where nspawn machines would be."""
    folder = tmp_path / "lab"
    monkeypatch.setattr(choice, "Places", lambda name: Places(name, folder))
    return folder


def _described(folder: Path, provider: Provider = "nspawn", file: str = "topology.yml") -> Topology:
    return replace(TOPOLOGY, provider=provider, path=folder / file)


def _boot(topology: Topology, provider: Provider) -> None:
    id_file = choice.vagrant_folder(topology) / "machines" / "web-01" / provider / "id"
    id_file.parent.mkdir(parents=True)
    id_file.touch()


@pytest.mark.parametrize("provider", ["nspawn", "virtualbox", "libvirt", "ssh"])
def test_before_anything_is_booted_the_file_decides(provider: Provider, tmp_path: Path) -> None:
    assert chosen_provider(_described(tmp_path, provider)) == provider


@pytest.mark.parametrize("provider", ["virtualbox", "libvirt"])
def test_provider_that_has_machines_is_used(provider: Provider, tmp_path: Path) -> None:
    topology = _described(tmp_path)
    _boot(topology, provider)
    assert chosen_provider(topology) == provider
    assert list(providers_in_use(topology)) == [provider]


def test_wish_comes_first(tmp_path: Path) -> None:
    topology = _described(tmp_path)
    _boot(topology, "virtualbox")
    assert chosen_provider(topology, "libvirt") == "libvirt"


def test_provider_that_does_not_exist_is_named_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(QuartetError, match="no provider 'vmware'") as caught:
        chosen_provider(_described(tmp_path), "vmware")
    assert caught.value.next_step == "pick from nspawn, virtualbox, libvirt, ssh"


@pytest.mark.parametrize(("described", "wished"), [("ssh", "nspawn"), ("nspawn", "ssh")])
def test_servers_are_never_taken_for_machines_of_a_lab_nor_these_for_servers(
    described: Provider, wished: str, tmp_path: Path
) -> None:
    with pytest.raises(QuartetError, match=f"describes machines of {described}, not of {wished}"):
        chosen_provider(_described(tmp_path, described), wished)


def test_servers_stay_servers_whatever_lab_has_machines_of_the_same_names(
    tmp_path: Path, lab_folder: Path
) -> None:
    servers = _described(tmp_path, "ssh", "production.yml")
    for topology in (servers, _described(tmp_path)):
        _boot(topology, "virtualbox")
    assert chosen_provider(servers) == "ssh"
    refuse_a_second(servers, "ssh")


def test_second_provider_is_refused_with_how_to_remove_the_first(tmp_path: Path) -> None:
    topology = _described(tmp_path)
    _boot(topology, "libvirt")
    refuse_a_second(topology, "libvirt")
    with pytest.raises(QuartetError, match="has machines of libvirt already") as caught:
        refuse_a_second(topology, "nspawn")
    assert caught.value.next_step == "./lab destroy --provider libvirt"
