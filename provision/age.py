"""Key pairs for age, which encrypts backups: machines have the public half, secrets.json both.

An identity is an X25519 key in Bech32, as age's specification has it (https://age-encryption.org/v1,
"The X25519 recipient type"; Bech32 is BIP 173), so that no age is needed on this computer.
"""

from collections.abc import Iterable, Iterator

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from provision.secrets import SecretStore

NAME = "backup_identity"
_IDENTITY = "age-secret-key-"
_RECIPIENT = "age"
_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM_LENGTH = 6


def backup_identity(store: SecretStore) -> str:
    """The private half, made at first use; without it no backup can be read."""
    return store.get(NAME, lambda: _identity(X25519PrivateKey.generate()))


def recipient_of(identity: str) -> str:
    """The public half: for whom to encrypt."""
    data = [_ALPHABET.index(letter) for letter in identity.lower().removeprefix(f"{_IDENTITY}1")]
    secret = bytes(_regrouped(data[:-_CHECKSUM_LENGTH], 5, 8))
    key = X25519PrivateKey.from_private_bytes(secret[:32])
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return _bech32(_RECIPIENT, public)


def _identity(key: X25519PrivateKey) -> str:
    return _bech32(_IDENTITY, key.private_bytes_raw()).upper()


def _bech32(prefix: str, secret: bytes) -> str:
    data = list(_regrouped(secret, 8, 5, pad=True))
    letters = "".join(_ALPHABET[value] for value in [*data, *_checksum(prefix, data)])
    return f"{prefix}1{letters}"


def _regrouped(
    values: Iterable[int], size: int, new_size: int, *, pad: bool = False
) -> Iterator[int]:
    """The same bits in groups of another size; `pad` keeps an incomplete one at the end."""
    bits = "".join(format(value, f"0{size}b") for value in values)
    for start in range(0, len(bits), new_size):
        group = bits[start : start + new_size]
        if len(group) == new_size or pad:
            yield int(group.ljust(new_size, "0"), 2)


def _checksum(prefix: str, data: list[int]) -> list[int]:
    expanded = [*(ord(c) >> 5 for c in prefix), 0, *(ord(c) & 31 for c in prefix)]
    rest = _polymod([*expanded, *data, *[0] * _CHECKSUM_LENGTH]) ^ 1
    return [(rest >> 5 * (_CHECKSUM_LENGTH - 1 - i)) & 31 for i in range(_CHECKSUM_LENGTH)]


def _polymod(values: Iterable[int]) -> int:
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATOR):
            checksum ^= generator if top >> bit & 1 else 0
    return checksum
