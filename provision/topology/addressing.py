"""Checks of what belongs to the network: names, domains, addresses and the network itself."""

import re
from ipaddress import AddressValueError, IPv4Address, IPv4Network

from provision.topology.values import is_not, matching

LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
# RFC 1035 allows 253 characters; the longest machine name and a dot have to fit in front.
LONGEST_DOMAIN = 253 - 64
WIDEST, NARROWEST = 8, 29
LOOPBACK = IPv4Network("127.0.0.0/8")
# RFC 1918, and what VPNs such as WireGuard's and Tailscale's often use (RFC 6598).
PRIVATE = tuple(
    map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"))
)

_label = matching(LABEL, "a host name (RFC 1123): 1 to 63 of a-z, 0-9 and -, no - at either end")


def host_label(value: object) -> str:
    """Accept a machine's name: one label of a host name that means nothing else already."""
    if value in ("localhost", "www"):
        raise ValueError(f"{value} is taken: it is a name that the lab gives out itself; rename it")
    return str(_label(value))


def domain(value: object) -> str:
    """Accept a DNS domain of two labels or more, in lower case (RFC 1035 and RFC 1123)."""
    if not isinstance(value, str) or not value:
        raise is_not(value, "a domain, such as foobar.com")
    fault = _domain_fault(value)
    if fault:
        raise ValueError(f"{value!r} {fault}")
    return value


def _domain_fault(value: str) -> str:
    labels = value.split(".")
    faults = {
        "has a scheme; write the name alone, such as foobar.com": "://" in value,
        "ends with a dot; leave it out": value.endswith("."),
        "has an underscore, which no host name may have; use - instead": "_" in value,
        "has upper case letters; write it in lower case": value != value.lower(),
        "is a single label; write two or more, such as foobar.com": len(labels) == 1,
        f"is too long; keep to {LONGEST_DOMAIN} characters": len(value) > LONGEST_DOMAIN,
        "ends in a number like an address; write a name, such as foobar.com": labels[-1].isdigit(),
    }
    return next((fault for fault, true in faults.items() if true), _label_fault(labels))


def _label_fault(labels: list[str]) -> str:
    bad = [label for label in labels if not re.fullmatch(LABEL, label)]
    right = "between two dots stand 1 to 63 of a-z, 0-9 and -, no - at either end"
    return f"has a bad part {bad[0]!r}; {right}" if bad else ""


def address(value: object) -> IPv4Address:
    """Accept an IPv4 address in dotted form."""
    if isinstance(value, IPv4Address):
        return value
    try:
        return IPv4Address(value if isinstance(value, str) else "")
    except AddressValueError:
        raise is_not(value, "an IPv4 address, such as 192.168.56.11") from None


def network(value: object) -> IPv4Network:
    """Accept a private IPv4 network of a size that a lab can use."""
    found = nearest_network(value)
    if found != value and str(found) != value:
        raise ValueError(f"{value} is an address within a network; write {found} for all of it")
    return found


def nearest_network(value: object) -> IPv4Network:
    """Accept what `network` does, and take an address with a prefix for the network around it."""
    found = value if isinstance(value, IPv4Network) else _parsed(value)
    if not WIDEST <= found.prefixlen <= NARROWEST:
        size = "large" if found.prefixlen < WIDEST else "small"
        raise ValueError(f"{value} is too {size}; choose a prefix from /{WIDEST} to /{NARROWEST}")
    if not any(found.subnet_of(private) for private in (*PRIVATE, LOOPBACK)):
        raise ValueError(f"{value} is not private; stay within {', '.join(map(str, PRIVATE))}")
    return found


def _parsed(value: object) -> IPv4Network:
    # ipaddress would also take a netmask or no prefix, which other readers of the file may not.
    if isinstance(value, str) and re.fullmatch(r"[0-9.]+/[0-9]{1,2}", value):
        try:
            return IPv4Network(value, strict=False)
        except ValueError:
            pass
    raise is_not(value, "a network in CIDR form, such as 192.168.56.0/24")
