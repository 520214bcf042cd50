"""Compression and encryption, by zstd and age; plain text goes through pipes alone."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dbbackup.failures import BackupError
from dbbackup.pipes import Pipeline, pipeline, secret_descriptor

_NOT_FOR_US = "no identity matched any of the recipients"


def sealing(recipient: str) -> tuple[Sequence[str], Sequence[str]]:
    """The programs that make an archived file of what they read."""
    return ("zstd", "-q", "-c", "-T1"), ("age", "--encrypt", "--recipient", recipient)


@contextmanager
def opened(path: Path, identity: str, *further: Sequence[str]) -> Iterator[Pipeline]:
    """What is in an archived file, through further programs where there are any."""
    with secret_descriptor(identity) as key:
        decrypt = ("age", "--decrypt", "--identity", f"/dev/fd/{key}", str(path))
        unpack = ("zstd", "-q", "-d", "-c")
        try:
            with pipeline(decrypt, unpack, *further, descriptors=[key]) as running:
                yield running
        except BackupError as error:
            if _NOT_FOR_US in str(error):
                raise BackupError(f"{path.name} was encrypted for another key") from error
            raise
