"""NSD answers for the domain with authority, over UDP and TCP, and for nothing else."""

from collections.abc import Callable

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import pytest

from checks import services
from checks.expectations import NotAnsweringError, expect_equal
from checks.lab import Lab
from provision.topology import Machine

pytestmark = [pytest.mark.area("DNS"), pytest.mark.look("journalctl -u nsd -n 50")]

TIMEOUT_S = 3
Ask = Callable[..., dns.message.Message]


@pytest.fixture(scope="module")
def silent() -> dict[str, NotAnsweringError]:
    """The protocols over which nothing came back; not each check waits for them anew."""
    return {}


@pytest.fixture(params=["udp", "tcp"])
def ask(
    request: pytest.FixtureRequest,
    lab: Lab,
    name_server: Machine,
    silent: dict[str, NotAnsweringError],
) -> Ask:
    protocol: str = request.param
    send = dns.query.udp if protocol == "udp" else dns.query.tcp
    way = lab.ways.to(name_server, lab.topology.ports.dns)
    if protocol == "udp" and not way.carries_udp:
        pytest.skip(f"UDP can't go through SSH, and {name_server.name} has no public_address")

    def query(name: str, kind: str, rdclass: str = "IN") -> dns.message.Message:
        if protocol in silent:
            raise silent[protocol]
        question = dns.message.make_query(name, kind, rdclass)
        try:
            address, port = way.open()
            return send(question, address, timeout=TIMEOUT_S, port=port)
        except (dns.exception.DNSException, OSError) as error:
            what = f"DNS on {name_server.name} answers over {protocol}"
            silent[protocol] = NotAnsweringError(what, way.complaint() or error, name_server.name)
            raise silent[protocol] from error

    return query


@pytest.fixture
def domain(lab: Lab) -> str:
    return f"{lab.topology.domain}."


def answers(message: dns.message.Message) -> list[tuple[str, str, str]]:
    """Name, type and data of each answer, in order."""
    return [
        (str(record.name), dns.rdatatype.to_text(record.rdtype), str(data))
        for record in message.answer
        for data in record
    ]


def test_nsd_is_installed(lab: Lab, name_server: Machine) -> None:
    services.expect_installed(lab, name_server, "nsd")


def test_nsd_runs_now_and_after_a_boot(lab: Lab, name_server: Machine) -> None:
    services.expect_running(lab, name_server, "nsd")


def test_configuration_is_valid(lab: Lab, name_server: Machine) -> None:
    services.expect_valid(lab, name_server, "nsd configuration", "nsd-checkconf /etc/nsd/nsd.conf")


def test_zone_is_valid(lab: Lab, name_server: Machine) -> None:
    look = f"nsd-checkzone {lab.topology.domain} /etc/nsd/quartet.zone"
    services.expect_valid(lab, name_server, "zone", look)


def test_listens_on_the_private_address(lab: Lab, name_server: Machine) -> None:
    socket = f"{name_server.address}:{lab.topology.ports.dns}"
    services.expect_listening(lab, name_server, f"tcp {socket}", f"udp {socket}")


def test_domain_is_the_load_balancers_address(
    ask: Ask, domain: str, lab: Lab, name_server: Machine
) -> None:
    expected = [(domain, "A", str(lab.topology.front_address))]
    expect_equal(f"answer for {domain}", answers(ask(domain, "A")), expected)


def test_www_is_an_alias_of_the_domain(
    ask: Ask, domain: str, lab: Lab, name_server: Machine
) -> None:
    alias = (f"www.{domain}", "CNAME", domain)
    expected = [alias, (domain, "A", str(lab.topology.front_address))]
    expect_equal(f"answer for www.{domain}", answers(ask(f"www.{domain}", "A")), expected)


def test_name_server_is_named_and_has_an_address(
    ask: Ask, domain: str, name_server: Machine
) -> None:
    own_name = f"{name_server.name}.{domain}"
    expect_equal("NS record", answers(ask(domain, "NS")), [(domain, "NS", own_name)])
    # Whoever is sent there has to reach it: those who ask from outside, where there are any.
    reached_at = name_server.public_address or name_server.address
    address = [(own_name, "A", str(reached_at))]
    expect_equal(f"answer for {own_name}", answers(ask(own_name, "A")), address)


def test_zone_has_one_start_of_authority(ask: Ask, domain: str, name_server: Machine) -> None:
    found = [(name, kind, data.split()[0]) for name, kind, data in answers(ask(domain, "SOA"))]
    expect_equal("SOA record", found, [(domain, "SOA", f"{name_server.name}.{domain}")])


def test_answers_are_authoritative_and_never_recursive(
    ask: Ask, domain: str, name_server: Machine
) -> None:
    flags = dns.flags.to_text(ask(domain, "A").flags).split()
    expect_equal("flags AA and RA", {"AA", "RA"} & set(flags), {"AA"})


def test_every_machine_has_its_name(ask: Ask, domain: str, lab: Lab, name_server: Machine) -> None:
    machines = lab.topology.machines
    found = {
        each.name: " ".join(row[2] for row in answers(ask(f"{each.name}.{domain}", "A")))
        for each in machines
    }
    # Of a machine's two addresses, either is right.
    public = {each.name for each in machines if found[each.name] == str(each.public_address)}
    expected = {
        each.name: str(each.public_address if each.name in public else each.address)
        for each in machines
    }
    expect_equal("addresses", found, expected)


def test_made_up_name_does_not_exist(ask: Ask, domain: str, name_server: Machine) -> None:
    answer = ask(f"no-such-name.{domain}", "A")
    found = (dns.rcode.to_text(answer.rcode()), [str(each.name) for each in answer.authority])
    expect_equal("answer code and whose authority", found, ("NXDOMAIN", [domain]))


def test_other_zones_are_refused(ask: Ask, name_server: Machine) -> None:
    answer = ask("example.org.", "A")
    expect_equal("answer for example.org", dns.rcode.to_text(answer.rcode()), "REFUSED")


def test_version_is_not_told(ask: Ask, name_server: Machine) -> None:
    answer = ask("version.bind.", "TXT", "CH")
    expect_equal("answers to version.bind", answers(answer), [])
