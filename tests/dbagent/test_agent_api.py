"""What load balancers and peers get from an agent, over its own HTTP."""

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path

import pytest
from dbagent import api as module
from dbagent.api import Api, Server, serve
from dbagent.config import Peer
from dbagent.peers import word_of, words

from tests.dbagent.fakes import Clock, config_of, dead, replica_of
from tests.dbagent.watching import Watched, install


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch, clock: Clock, tmp_path: Path) -> Watched:
    watched = install(monkeypatch, clock, tmp_path, 3, machine="db-2")
    watched.server = replica_of("db-2", "db-1")
    return watched


@pytest.mark.parametrize("holds", [True, False])
@pytest.mark.parametrize(
    ("path", "fact"), [("/primary", "is_primary"), ("/replica", "is_usable_replica")]
)
def test_load_balancer_is_told_what_the_server_is(
    watched: Watched, path: str, fact: str, holds: bool
) -> None:
    setattr(watched.monitor, fact, holds)
    status, body = Api(watched.watch).answer(path)
    assert status == (HTTPStatus.OK if holds else HTTPStatus.SERVICE_UNAVAILABLE)
    assert body["name"] == "db-2"


def test_server_that_answers_is_alive(watched: Watched) -> None:
    assert Api(watched.watch).answer("/alive")[0] == HTTPStatus.OK
    watched.server = dead("db-2")
    status, body = Api(watched.watch).answer("/alive")
    assert (status, body["error"]) == (HTTPStatus.SERVICE_UNAVAILABLE, "no route to host")


def test_query_changes_nothing_for_a_load_balancer(watched: Watched) -> None:
    assert Api(watched.watch).answer("/alive?x=1")[0] == HTTPStatus.OK


def test_peer_that_asks_is_noted(watched: Watched, clock: Clock) -> None:
    api = Api(watched.watch)
    api.answer("/status?from=db-1")
    clock.sleep(3)
    assert api.answer("/status")[1]["polled_s"] == 3
    assert api.answer("/status?from=db-3")[1]["polled_s"] == 3


@pytest.mark.parametrize("path", ["/", "/primary/", "/statu", "/status/x"])
def test_unknown_path_is_answered_with_the_known_ones(watched: Watched, path: str) -> None:
    status, body = Api(watched.watch).answer(path)
    assert status == HTTPStatus.NOT_FOUND
    assert body == {"error": "ask for one of /primary, /replica, /alive, /status"}


class TestOverHttp:
    @pytest.fixture
    def port(self, watched: Watched, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
        """The service on a socket that somebody else has opened, as systemd does."""
        passed = socket.create_server(("127.0.0.1", 0))
        monkeypatch.setattr(module, "FIRST_PASSED", passed.detach())
        running: list[Server] = []
        begun = threading.Event()

        def serve_forever(server: Server) -> None:
            running.append(server)
            begun.set()
            super(Server, server).serve_forever(poll_interval=0.01)

        monkeypatch.setattr(Server, "serve_forever", serve_forever)
        thread = threading.Thread(target=serve, args=(watched.watch,), daemon=True)
        thread.start()
        assert begun.wait(10)
        yield running[0].socket.getsockname()[1]
        running[0].shutdown()
        running[0].server_close()
        thread.join(10)

    def test_answer_is_json_with_its_status(self, port: int, watched: Watched) -> None:
        watched.monitor.is_usable_replica = True
        found = {}
        for path in ("/primary", "/replica", "/nothing"):
            client = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            client.request("GET", path)
            response = client.getresponse()
            assert response.getheader("Content-Type") == "application/json"
            json.loads(response.read())
            found[path] = response.status
            client.close()
        assert found == {"/primary": 503, "/replica": 200, "/nothing": 404}

    def test_peers_understand_each_other(self, port: int, watched: Watched) -> None:
        config = config_of(3, "db-1", agent_port=port)
        peer = Peer("db-2", "127.0.0.1")
        word = word_of(config, peer)
        assert (word.name, word.source, word.receiver) == ("db-2", "192.0.2.1", "ON")
        assert watched.watch.status("")["polled_s"] == 0

    def test_client_that_hangs_up_disturbs_nobody(
        self, port: int, capfd: pytest.CaptureFixture[str]
    ) -> None:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET /ali")
        self.test_answer_of_the_next_one(port)
        assert capfd.readouterr().err == ""

    def test_clients_that_are_slow_to_ask_keep_nobody_waiting(self, port: int) -> None:
        with ExitStack() as slow:
            for _ in range(20):
                client = slow.enter_context(socket.create_connection(("127.0.0.1", port)))
                client.sendall(b"GET /ali")
            self.test_answer_of_the_next_one(port)
            client.sendall(b"ve HTTP/1.0\r\n\r\n")
            assert client.recv(1000).startswith(b"HTTP/1.1 200 OK")

    def test_whole_question_is_answered_without_a_thread(
        self, port: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def no_thread(thread: threading.Thread) -> None:
            pytest.fail("a thread was started")

        monkeypatch.setattr(module, "_has_asked", lambda client: True)
        monkeypatch.setattr(threading.Thread, "start", no_thread)
        self.test_answer_of_the_next_one(port)

    def test_answer_of_the_next_one(self, port: int) -> None:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        client.request("GET", "/alive")
        assert client.getresponse().status == HTTPStatus.OK
        client.close()


class TestPeers:
    """What is made of agents that answer wrongly, or not at all."""

    @pytest.fixture
    def answering(self) -> Iterator[tuple[socket.socket, list[bytes]]]:
        """A listener, and what it answers."""
        answer: list[bytes] = []
        listener = socket.create_server(("127.0.0.1", 0))

        def run() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with client:
                    client.recv(1000)
                    client.sendall(answer[0])

        threading.Thread(target=run, daemon=True).start()
        yield listener, answer
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()

    @pytest.mark.parametrize(
        "answer",
        [b"", b"nonsense\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n{", b"HTTP/1.0 200 OK\r\n\r\n[]"],
        ids=["nothing", "no HTTP", "no JSON", "no word"],
    )
    def test_agent_that_makes_no_sense_is_left_out(
        self, answering: tuple[socket.socket, list[bytes]], answer: bytes
    ) -> None:
        listener, answers = answering
        answers.append(answer)
        config = config_of(3, agent_port=listener.getsockname()[1])
        assert words(config, (Peer("db-2", "127.0.0.1"),)) == {}

    def test_agent_of_another_release_may_say_less_or_more(
        self, answering: tuple[socket.socket, list[bytes]]
    ) -> None:
        listener, answers = answering
        said = {"name": "db-2", "answers": True, "mood": "good"}
        answers.append(b"HTTP/1.0 200 OK\r\n\r\n" + json.dumps(said).encode())
        config = config_of(3, agent_port=listener.getsockname()[1])
        word = words(config, (Peer("db-2", "127.0.0.1"),))["db-2"]
        assert (word.answers, word.source, word.closed) == (True, "", False)

    def test_agent_that_is_away_is_left_out(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        assert words(config_of(3, agent_port=port), (Peer("db-2", "127.0.0.1"),)) == {}
