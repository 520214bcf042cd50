import json
import re
from dataclasses import replace

import pytest

from tests.app.fake_lab import LOST, READ_ONLY, REFUSED, SETTINGS, SOURCE, Lab, message_row

LARGEST = 64 * 1024


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("board.writing.WRITE_SECONDS", 0.1)


def test_the_page_names_who_served_it(lab: Lab) -> None:
    page = lab.get("/")
    assert page.status == 200
    assert '<span class="served web">web-01</span>' in page.text
    assert '<span class="served database">web-02</span>' in page.text
    assert 'class="part web on" data-machine="web-01"' in page.text
    assert 'class="part database on" data-machine="web-02" data-role="replica"' in page.text


def test_static_addresses_carry_the_release(lab: Lab) -> None:
    assert 'href="/static/style.css?v=r%201"' in lab.get("/").text


def test_the_page_runs_no_inline_script_or_style(lab: Lab) -> None:
    page = lab.get("/")
    assert "script-src 'self';" in page.headers["Content-Security-Policy"]
    assert "<style" not in page.text
    assert "style=" not in page.text
    assert page.text.count("<script") == page.text.count('<script src="/static/')


@pytest.mark.parametrize("path", ["/", "/api/messages", "/healthz", "/readyz", "/nothing"])
def test_every_answer_has_the_security_headers_and_is_not_stored(lab: Lab, path: str) -> None:
    headers = lab.get(path).headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


def test_messages_are_escaped(lab: Lab) -> None:
    lab.post_form(author='<b>"&', text="</textarea><script>alert(1)</script>")
    lab.replicate()
    page = lab.get("/").text
    assert "<script>alert" not in page
    assert "&lt;b&gt;&#34;&amp;" in page


def test_what_was_typed_is_escaped_in_the_form_too(lab: Lab) -> None:
    answer = lab.post_form(author='"><script>', text="</textarea><script>" + "x" * 500)
    assert answer.status == 400
    assert 'value="&#34;&gt;&lt;script&gt;"' in answer.text
    assert "</textarea><script>" not in answer.text
    assert "text must have 1 to 500 characters" in answer.text


def test_a_form_post_redirects_to_the_board_with_a_cookie(lab: Lab) -> None:
    answer = lab.post_form()
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    assert answer.headers["Set-Cookie"].endswith("Max-Age=300; HttpOnly; SameSite=Lax")


def test_a_replica_that_has_the_write_is_read(lab: Lab) -> None:
    cookie = lab.post_form().cookie
    lab.replicate()
    page = lab.get("/", HTTP_COOKIE=cookie).text
    assert "Fresh: web-02 has everything that you wrote" in page
    assert "Hello" in page


def test_the_primary_is_read_while_the_replica_lags_and_the_page_says_so(lab: Lab) -> None:
    page = lab.get("/", HTTP_COOKIE=lab.post_form().cookie).text
    assert "Fresh: read from the primary, because web-02 did not have what you wrote" in page
    assert "within 0.5 s" in page
    assert "Hello" in page


def test_a_stale_read_can_be_seen_with_fresh_off(lab: Lab) -> None:
    cookie = lab.post_form().cookie
    page = lab.get("/?fresh=off", HTTP_COOKIE=cookie).text
    assert "Stale: read without waiting, and web-02 does not have all" in page
    assert "Hello" not in page
    lab.replicate()
    page = lab.get("/?fresh=off", HTTP_COOKIE=cookie).text
    assert "Read without waiting: db-03 had what you wrote already" in page


def test_without_a_primary_the_page_says_that_it_may_be_stale(lab: Lab) -> None:
    cookie = lab.post_form().cookie
    lab.writes.servers = []
    lab.primary.ping_error = LOST
    page = lab.get("/", HTTP_COOKIE=cookie)
    assert page.status == 200
    assert "This may be stale: db-03 does not have all that you wrote, and no primary" in page.text


def test_a_cookie_for_what_is_gone_is_deleted(lab: Lab) -> None:
    cookie = lab.post_form().cookie
    lab.primary.executed = 0
    for path in ("/", "/api/messages", "/api/messages/1"):
        answer = lab.get(path, HTTP_COOKIE=cookie)
        assert (answer.status, answer.cookie) == (200, "session_gtids=")
    assert "no longer in the databases" in lab.get("/", HTTP_COOKIE=cookie).text


def test_the_writes_of_a_session_add_up(lab: Lab) -> None:
    first = lab.post_form()
    second = lab.post_form(HTTP_COOKIE=first.cookie)
    assert f"{SOURCE}:2." in second.cookie
    assert "+" not in second.cookie


def test_a_forged_cookie_is_ignored(lab: Lab) -> None:
    lab.post_form()
    answer = lab.get("/api/messages", HTTP_COOKIE=f"session_gtids={SOURCE}:1.{'0' * 64}")
    assert json.loads(answer.body)["fresh"] is None


def test_fresh_reads_can_be_switched_off(lab: Lab) -> None:
    cookie = lab.post_form().cookie
    without = Lab(replace(SETTINGS, fresh_reads=False))
    assert without.post_form().cookie == ""
    assert json.loads(without.get("/api/messages", HTTP_COOKIE=cookie).body)["fresh"] is None
    assert [server.waits for server in without.servers] == [0, 0, 0]


@pytest.mark.parametrize("path", ["/", "/api/messages", "/api/messages/1"])
def test_fresh_is_on_or_off(lab: Lab, path: str) -> None:
    assert lab.get(f"{path}?fresh=maybe").status == 400


def test_a_form_that_is_sent_twice_is_stored_once(lab: Lab) -> None:
    [nonce] = re.findall(r'name="nonce" value="([0-9a-f]{32})"', lab.get("/").text)
    for _ in range(2):
        assert lab.post_form(nonce=nonce).status == 303
    assert len(lab.primary.rows) == 1
    lab.post_form(text="something else", nonce=nonce)
    assert len(lab.primary.rows) == 2


@pytest.mark.parametrize("nonce", ["", "x", "0" * 31, "é" * 32])
def test_a_form_without_a_proper_nonce_is_stored_each_time(lab: Lab, nonce: str) -> None:
    for _ in range(2):
        assert lab.post_form(nonce=nonce).status == 303
    assert len(lab.primary.rows) == 2


def test_the_page_says_that_writes_are_paused(lab: Lab) -> None:
    lab.primary.is_read_only = True
    assert "Writes are paused: no database is writable" in lab.get("/").text


@pytest.mark.usefixtures("impatience")
def test_a_paused_write_is_503_and_keeps_what_was_typed(lab: Lab) -> None:
    lab.primary.write_error = READ_ONLY
    answer = lab.post_form(text="keep me", nonce="a" * 32)
    assert answer.status == 503
    assert "Writes are paused: web-01 is read-only at the moment" in answer.text
    assert "keep me</textarea>" in answer.text
    assert f'name="nonce" value="{"a" * 32}"' in answer.text


@pytest.mark.usefixtures("impatience")
def test_an_undecided_write_is_504_and_says_so(lab: Lab) -> None:
    lab.primary.write_error = LOST
    form, api = lab.post_form(), lab.post_json(b'{"author": "Ada", "text": "Hello"}')
    assert (form.status, api.status) == (504, 504)
    assert "may or may not have been stored" in form.text
    assert "Sending this very form again stores it once." in form.text
    assert "may or may not have been stored" in json.loads(api.body)["error"]


def test_without_any_database_the_page_is_503_but_alive(lab: Lab) -> None:
    for server in lab.servers:
        server.connect_error = REFUSED
    assert lab.get("/").status == 503
    assert lab.get("/api/messages").status == 503
    assert lab.get("/healthz").status == 200
    ready = lab.get("/readyz")
    assert ready.status == 503
    assert "no database answers" in json.loads(ready.body)["reason"]


def test_liveness_touches_no_database(lab: Lab) -> None:
    assert lab.get("/healthz").status == 200
    assert [server.connects for server in lab.servers] == [0, 0, 0]


def test_one_database_is_enough_to_be_ready(lab: Lab) -> None:
    lab.writes.servers, lab.reads.servers = [], lab.replicas[1:]
    assert json.loads(lab.get("/readyz").body) == {"ready": True, "database": "db-03"}


def test_the_api_stores_and_lists(lab: Lab) -> None:
    answer = lab.post_json('{"author": "Ädä", "text": "🎉"}'.encode())
    assert answer.status == 201
    assert json.loads(answer.body) == {
        "id": 1,
        "served_by": {"web": "web-01", "database": "web-01"},
    }
    lab.replicate()
    listed = json.loads(lab.get("/api/messages", HTTP_COOKIE=answer.cookie).body)
    assert listed["fresh"] is True
    assert listed["served_by"] == {"web": "web-01", "database": "web-02"}
    assert listed["messages"] == [
        {
            "id": 1,
            "author": "Ädä",
            "text": "🎉",
            "web": "web-01",
            "created_at": "2026-01-02T03:04:05+00:00",
        }
    ]


def test_one_database_can_be_asked_for_a_message(lab: Lab) -> None:
    lab.replicas[1].rows = [message_row(5)]
    assert lab.get("/api/messages/5?database=db-03").status == 200
    assert lab.get("/api/messages/5?database=192.0.2.13:3306").status == 200
    assert lab.get("/api/messages/5?database=web-02").status == 404
    assert lab.get("/api/messages/5?database=db-04").status == 400
    lab.replicas[0].connect_error = lab.replicas[0].ping_error = LOST
    assert lab.get("/api/messages/5?database=web-02").status == 503


def test_ones_own_message_is_found_at_once(lab: Lab) -> None:
    cookie = lab.post_form().cookie
    assert lab.get("/api/messages/1").status == 404
    found = json.loads(lab.get("/api/messages/1", HTTP_COOKIE=cookie).body)
    assert (found["text"], found["fresh"]) == ("Hello", True)
    assert found["served_by"] == {"web": "web-01", "database": "web-01"}


def test_whoami_names_web_database_and_release(lab: Lab) -> None:
    assert json.loads(lab.get("/api/whoami").body) == {
        "web": "web-01",
        "database": "web-02",
        "release": "r 1",
    }


def test_the_topology_carries_live_states(lab: Lab) -> None:
    system = json.loads(lab.get("/api/topology").body)
    assert [machine["name"] for machine in system["machines"]] == [
        "lb-01",
        "web-01",
        "web-02",
        "db-03",
    ]
    assert [state["role"] for state in system["databases"]] == ["primary", "replica", "replica"]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"{}", {"author", "text"}),
        (b'{"author": "", "text": "x"}', {"author"}),
        (b'{"author": "  \\n ", "text": "x"}', {"author"}),
        (b'{"author": 1, "text": "x"}', {"author"}),
        (b'{"author": "a\\nb", "text": "x"}', {"author"}),
        (b'{"author": "\\u200b", "text": "x"}', {"author"}),
        (b'{"author": "a", "text": "\\u0000"}', {"text"}),
        (b'{"author": "a", "text": "\\ud800"}', {"text"}),
        (b'{"author": "%s", "text": "%s"}' % (b"a" * 41, b"b" * 501), {"author", "text"}),
    ],
)
def test_an_invalid_message_is_400_and_says_which_field(
    lab: Lab, body: bytes, fields: set[str]
) -> None:
    answer = lab.post_json(body)
    assert answer.status == 400
    assert set(json.loads(answer.body)["fields"]) == fields
    assert lab.primary.writes == 0


def test_the_longest_message_is_taken(lab: Lab) -> None:
    assert lab.post_form(author="é" * 40, text="é" * 500).status == 303


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"[" * LARGEST, b'"x"', b"9" * 5000])
def test_what_is_no_json_object_is_400(lab: Lab, body: bytes) -> None:
    answer = lab.post_json(body)
    assert answer.status == 400
    assert "error" in json.loads(answer.body)


def test_a_form_that_is_not_utf8_is_400(lab: Lab) -> None:
    form = {"CONTENT_TYPE": "application/x-www-form-urlencoded"}
    assert lab.ask("POST", "/messages", b"author=%ff&text=x", **form).status == 400
    assert lab.ask("POST", "/messages", b"author=\xff&text=x", **form).status == 400


def test_a_body_that_is_too_large_is_413(lab: Lab) -> None:
    assert lab.post_json(b" " * (LARGEST + 1)).status == 413


def test_a_chunked_body_is_read_and_limited(lab: Lab) -> None:
    chunked = {"CONTENT_LENGTH": "", "wsgi.input_terminated": "yes"}
    assert lab.post_json(b'{"author": "a", "text": "b"}', **chunked).status == 201
    assert lab.post_json(b" " * (LARGEST + 1), **chunked).status == 413


def test_the_wrong_content_type_is_415(lab: Lab) -> None:
    assert lab.post_json(b"{}", CONTENT_TYPE="text/plain").status == 415
    assert lab.post_form(CONTENT_TYPE="multipart/form-data; boundary=x").status == 415


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/", "GET, HEAD"),
        ("GET", "/messages", "POST"),
        ("DELETE", "/api/messages", "GET, HEAD, POST"),
    ],
)
def test_another_method_is_405_with_allow(lab: Lab, method: str, path: str, allowed: str) -> None:
    answer = lab.ask(method, path)
    assert (answer.status, answer.headers["Allow"]) == (405, allowed)


def test_unknown_pages_are_404_in_the_right_form(lab: Lab) -> None:
    assert "<h1>404 Not Found</h1>" in lab.get("/<script>").text
    assert json.loads(lab.get("/api/nothing").body) == {"error": "there is no such page"}
    assert lab.get("/api/messages/0").status == 404


def test_head_is_get_without_a_body(lab: Lab) -> None:
    head = lab.ask("HEAD", "/healthz")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(lab.get("/healthz").body))


@pytest.mark.parametrize(
    "headers",
    [
        {"HTTP_ORIGIN": "http://evil.example"},
        {"HTTP_ORIGIN": "null"},
        {"HTTP_ORIGIN": "http://www.foobar.com:8080"},
        {"HTTP_SEC_FETCH_SITE": "cross-site"},
        {"HTTP_SEC_FETCH_SITE": "same-site", "HTTP_ORIGIN": "http://a.foobar.com"},
    ],
)
def test_another_sites_form_is_refused(lab: Lab, headers: dict[str, str]) -> None:
    assert lab.post_form(**headers).status == 403
    assert lab.primary.writes == 0


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"HTTP_ORIGIN": "http://www.foobar.com"},
        {"HTTP_ORIGIN": "https://WWW.foobar.com", "HTTP_SEC_FETCH_SITE": "same-origin"},
    ],
)
def test_our_own_form_is_taken(lab: Lab, headers: dict[str, str]) -> None:
    assert lab.post_form(**headers).status == 303


def test_a_bug_is_a_500_that_tells_nothing(lab: Lab) -> None:
    lab.replicas[0].read_error = KeyError("secret")
    answer = lab.get("/")
    assert answer.status == 500
    assert "secret" not in answer.text
