"""Ed25519 key pairs in OpenSSH's own format."""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)


@dataclass(frozen=True, repr=False)
class KeyPair:
    """A private key and the line that others are given; it has no repr, so it can't be logged."""

    private: str
    public: str


def new_key_pair(comment: str) -> KeyPair:
    """Make a key pair without a passphrase."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return KeyPair(private.decode(), f"{public.decode()} {comment}")


def public_half(private: str, comment: str) -> str:
    """Return the public line of a private key, so that only one of the two need be kept."""
    key = load_ssh_private_key(private.encode(), None).public_key()
    return f"{key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()} {comment}"
