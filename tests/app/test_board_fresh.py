import pytest
from board import fresh

from tests.app.fake_lab import SOURCE, ok_packet

OTHER = "25f8c25a-e621-11f1-a2b5-02fc00000002"
COOKIE = fresh.Cookie("hush")

# What mysqld 9.7 sent after the count of warnings, as PyMySQL 1.0.2 and 1.2 keep it.
AN_INSERT = b"\x00+\x03)\x00'14e7c25a-e621-11f1-a2b5-02fc00000001:10"
A_USE = b"\x00\x08\x01\x06\x05board"
A_TIME_ZONE = b"\x00\x13\x00\x11\ttime_zone\x06+01:00"


def test_the_gtid_is_found_in_what_a_real_server_sent() -> None:
    assert fresh.gtid_in(AN_INSERT) == f"{SOURCE}:10"


@pytest.mark.parametrize("rest", [b"", b"\0", b"\0\0", A_USE, A_TIME_ZONE])
def test_an_answer_without_a_gtid_has_none(rest: bytes) -> None:
    assert fresh.gtid_in(rest) is None


def test_the_gtid_is_found_behind_other_changes_and_a_text() -> None:
    changes = A_USE[2:] + A_TIME_ZONE[2:] + AN_INSERT[2:]
    assert fresh.gtid_in(b"\x04text" + bytes([len(changes)]) + changes) == f"{SOURCE}:10"


def test_a_long_text_has_its_length_in_more_bytes() -> None:
    text = b"\xfc\x2c\x01" + b"x" * 300
    assert fresh.gtid_in(text + AN_INSERT[1:]) == f"{SOURCE}:10"


@pytest.mark.parametrize("length", range(1, len(AN_INSERT)))
def test_a_packet_that_ends_too_early_has_none(length: int) -> None:
    assert fresh.gtid_in(AN_INSERT[:length]) is None


@pytest.mark.parametrize("gtid", ["", "x", f"{SOURCE}:0", f"{SOURCE}:1-5", f"{SOURCE}:1\xff"])
def test_what_is_no_gtid_is_not_taken_for_one(gtid: str) -> None:
    assert fresh.gtid_in(ok_packet(gtid)) is None


def test_the_highest_of_each_server_is_kept() -> None:
    gtids = fresh.merged(fresh.merged((), f"{SOURCE}:5"), f"{OTHER}:1")
    assert fresh.merged(gtids, f"{SOURCE}:7") == (f"{OTHER}:1", f"{SOURCE}:7")
    assert fresh.merged(gtids, f"{SOURCE}:3") == (f"{OTHER}:1", f"{SOURCE}:5")


def test_only_so_many_servers_are_kept_the_last_ones() -> None:
    gtids: fresh.Gtids = ()
    for number in range(9):
        gtids = fresh.merged(gtids, f"{number}{SOURCE[1:]}:1")
    assert [each[0] for each in gtids] == ["5", "6", "7", "8"]


def test_a_cookie_survives_the_round_trip_among_others() -> None:
    gtids = (f"{SOURCE}:5", f"{OTHER}:18446744")
    sent = COOKIE.header(gtids).partition(";")[0]
    assert COOKIE.read(f'a="b;c"; {sent}; d') == gtids


def test_a_cookie_is_for_this_site_alone_and_for_minutes() -> None:
    header = COOKIE.header((f"{SOURCE}:5",))
    assert header.endswith("; Path=/; Max-Age=300; HttpOnly; SameSite=Lax")
    assert "Max-Age=0;" in COOKIE.header(())


@pytest.mark.parametrize(
    "value",
    [
        "",
        ".",
        f"{SOURCE}:5",
        f"{SOURCE}:5.",
        f"{SOURCE}:5.{'0' * 64}",
        f"{SOURCE}:5.é",
        f"{SOURCE}:5.\udcff"[:-1],
        "+".join([f"{SOURCE}:5"] * 5) + "." + "0" * 64,
        "x" * 100_000,
    ],
)
def test_a_forged_or_malformed_cookie_is_ignored(value: str) -> None:
    assert COOKIE.read(f"{fresh.COOKIE}={value}") == ()


def test_a_changed_cookie_is_ignored() -> None:
    sent = COOKIE.header((f"{SOURCE}:5",)).partition(";")[0]
    assert COOKIE.read(sent.replace(":5.", ":6.")) == ()
    assert fresh.Cookie("other").read(sent) == ()
    assert COOKIE.read(sent.replace(fresh.COOKIE, "other")) == ()


def test_a_second_cookie_of_that_name_does_not_hide_ours() -> None:
    sent = COOKIE.header((f"{SOURCE}:5",)).partition(";")[0]
    assert COOKIE.read(f"{fresh.COOKIE}=forged; {sent}") == (f"{SOURCE}:5",)
