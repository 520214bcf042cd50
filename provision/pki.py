"""A certificate authority of the system's own, for TLS between the databases and their clients."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from provision.secrets import SecretStore

_AUTHORITY_DAYS = 3650
_SERVER_DAYS = 825
_RENEW_BEFORE_DAYS = 60
# Clocks of laptops that wake up jump; a certificate from "tomorrow" would be refused.
_BACKDATED = timedelta(days=1)
# Clients ask the router on their own machine, and TLS goes through it to the server.
_ROUTER = IPv4Address("127.0.0.1")


@dataclass(frozen=True)
class KeyPair:
    """A certificate and its private key, as PEM."""

    certificate: str
    key: str


def authority(store: SecretStore, name: str) -> KeyPair:
    """The system's own certificate authority, made at first use."""
    if store.peek("ca_key") is None:
        pair = _make_authority(name)
        store.put("ca_certificate", pair.certificate)
        store.put("ca_key", pair.key)
    return KeyPair(store.peek("ca_certificate") or "", store.peek("ca_key") or "")


def server_pair(store: SecretStore, name: str, address: IPv4Address, issuer: KeyPair) -> KeyPair:
    """A machine's certificate for its name and address, and for who comes through a router.

    It is made anew when one of these has changed, and before its time runs out.
    """
    certificate = store.peek(f"certificate_{name}")
    if certificate is None or not _is_good(certificate, name, address, issuer):
        pair = _make_server(name, address, issuer)
        store.put(f"certificate_key_{name}", pair.key)
        store.put(f"certificate_{name}", pair.certificate)
    return KeyPair(
        store.peek(f"certificate_{name}") or "", store.peek(f"certificate_key_{name}") or ""
    )


def _is_good(pem: str, name: str, address: IPv4Address, issuer: KeyPair) -> bool:
    certificate = x509.load_pem_x509_certificate(pem.encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    renewal = certificate.not_valid_after_utc - timedelta(days=_RENEW_BEFORE_DAYS)
    return (
        names == _alternative_names(name, address)
        and _is_issued_by(certificate, _load_certificate(issuer))
        and datetime.now(UTC) < renewal
    )


def _is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether this very authority signed it: a new one has the same name."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _make_authority(name: str) -> KeyPair:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} certificate authority")])
    builder = (
        _builder(subject, subject, key.public_key(), _AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return KeyPair(_pem(builder.sign(key, hashes.SHA256())), _key_pem(key))


def _make_server(name: str, address: IPv4Address, issuer: KeyPair) -> KeyPair:
    key = ec.generate_private_key(ec.SECP256R1())
    authority_key = serialization.load_pem_private_key(issuer.key.encode(), None)
    assert isinstance(authority_key, ec.EllipticCurvePrivateKey)  # noqa: S101 made above
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issued_by = _load_certificate(issuer)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    builder = (
        _builder(subject, issued_by.subject, key.public_key(), _SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(_alternative_names(name, address), critical=False)
        .add_extension(identifier, critical=False)
    )
    return KeyPair(_pem(builder.sign(authority_key, hashes.SHA256())), _key_pem(key))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + timedelta(days=days))
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative_names(name: str, address: IPv4Address) -> x509.SubjectAlternativeName:
    addresses = map(x509.IPAddress, dict.fromkeys((address, _ROUTER)))
    return x509.SubjectAlternativeName([x509.DNSName(name), *addresses])


def _load_certificate(pair: KeyPair) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pair.certificate.encode())


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
