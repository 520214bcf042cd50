"""Keys for age, made without age."""

from provision.age import backup_identity, recipient_of
from provision.secrets import SecretStore

# The pair of age's own test data; `age-keygen -y` prints this recipient for this identity.
IDENTITY = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
RECIPIENT = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"


def test_recipient_is_what_age_makes_of_the_identity() -> None:
    assert recipient_of(IDENTITY) == RECIPIENT


def test_identity_is_made_once_and_looks_as_age_wants_it() -> None:
    store = SecretStore(None)
    identity = backup_identity(store)
    assert backup_identity(store) == identity
    assert identity.startswith("AGE-SECRET-KEY-1")
    assert len(identity) == len(IDENTITY)
    assert recipient_of(identity).startswith("age1")
    assert len(recipient_of(identity)) == len(RECIPIENT)
