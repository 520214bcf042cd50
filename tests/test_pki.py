"""The certificate authority: its chains verify, and certificates are renewed when they must be."""

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from provision import pki
from provision.pki import KeyPair, authority, server_pair
from provision.secrets import SecretStore

ADDRESS = IPv4Address("192.168.56.11")
OTHER_ADDRESS = IPv4Address("192.168.56.99")
LOOPBACK = IPv4Address("127.0.0.1")


def _load(pair: KeyPair) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pair.certificate.encode())


def _pair(store: SecretStore, address: IPv4Address = ADDRESS) -> KeyPair:
    return server_pair(store, "web-01", address, authority(store, "quartet"))


def _verify(
    issuer: KeyPair, pair: KeyPair, address: IPv4Address, at: datetime | None = None
) -> None:
    builder = PolicyBuilder().store(Store([_load(issuer)])).time(at or datetime.now(UTC))
    builder.build_server_verifier(x509.IPAddress(address)).verify(_load(pair), [])


def test_chain_verifies_for_the_machines_address() -> None:
    store = SecretStore(None)
    _verify(authority(store, "quartet"), _pair(store), ADDRESS)


def test_chain_does_not_verify_for_another_address() -> None:
    store = SecretStore(None)
    with pytest.raises(VerificationError):
        _verify(authority(store, "quartet"), _pair(store), OTHER_ADDRESS)


def test_chain_of_another_authority_does_not_verify() -> None:
    with pytest.raises(VerificationError):
        _verify(authority(SecretStore(None), "quartet"), _pair(SecretStore(None)), ADDRESS)


def test_certificate_is_good_on_a_clock_that_is_hours_slow() -> None:
    store = SecretStore(None)
    slow = datetime.now(UTC) - timedelta(hours=12)
    _verify(authority(store, "quartet"), _pair(store), ADDRESS, slow)


def test_certificate_names_the_machine_and_its_address() -> None:
    names = _load(_pair(SecretStore(None))).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert names.value.get_values_for_type(x509.DNSName) == ["web-01"]
    assert names.value.get_values_for_type(x509.IPAddress) == [ADDRESS, LOOPBACK]


def test_chain_verifies_for_who_comes_through_the_router_on_their_own_machine() -> None:
    store = SecretStore(None)
    _verify(authority(store, "quartet"), _pair(store), LOOPBACK)


def test_machine_whose_address_is_the_loopback_is_named_once() -> None:
    names = _load(_pair(SecretStore(None), LOOPBACK)).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert names.value.get_values_for_type(x509.IPAddress) == [LOOPBACK]


def test_certificate_of_before_the_router_is_made_anew_under_the_same_authority(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = SecretStore(None)
    with monkeypatch.context() as patched:
        patched.setattr(pki, "_ROUTER", ADDRESS)
        before, issuer = _pair(store), authority(store, "quartet")
    after = _pair(store)
    assert after != before
    _verify(issuer, after, LOOPBACK)


def test_key_belongs_to_the_certificate() -> None:
    pair = _pair(SecretStore(None))
    key = serialization.load_pem_private_key(pair.key.encode(), None)
    assert key.public_key() == _load(pair).public_key()


def test_machine_can_sign_no_certificates() -> None:
    extensions = _load(_pair(SecretStore(None))).extensions
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign


def test_second_asking_gives_the_same() -> None:
    store = SecretStore(None)
    assert authority(store, "quartet") == authority(store, "quartet")
    assert _pair(store) == _pair(store)


def test_certificate_is_made_anew_for_a_new_address_under_the_same_authority() -> None:
    store = SecretStore(None)
    before, issuer = _pair(store), authority(store, "quartet")
    after = _pair(store, OTHER_ADDRESS)
    assert after.key != before.key
    assert authority(store, "quartet") == issuer
    _verify(issuer, after, OTHER_ADDRESS)


@pytest.mark.parametrize(("days", "renewed"), [(59, True), (61, False)])
def test_certificate_is_renewed_before_it_expires(
    days: int, renewed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SecretStore(None)
    with monkeypatch.context() as patched:
        patched.setattr(pki, "_SERVER_DAYS", days)
        before = _pair(store)
    assert (_pair(store) != before) == renewed


def test_new_authority_makes_certificates_anew() -> None:
    kept: dict[str, str] = {}
    store = SecretStore(None)
    _pair(store)
    for name in ("certificate_web-01", "certificate_key_web-01"):
        kept[name] = store.peek(name) or ""
    fresh = SecretStore(None)  # the authority was lost or thrown away, to be made anew
    for name, value in kept.items():
        fresh.put(name, value)
    _verify(authority(fresh, "quartet"), _pair(fresh), ADDRESS)


def test_authority_that_was_half_saved_is_made_anew() -> None:
    store = SecretStore(None)
    store.put("ca_certificate", "cut off before the key was saved")
    _verify(authority(store, "quartet"), _pair(store), ADDRESS)


def test_authority_is_on_modern_terms() -> None:
    certificate = _load(authority(SecretStore(None), "quartet"))
    assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
    assert isinstance(certificate.signature_hash_algorithm, hashes.SHA256)
