"""Four machines taken as servers that somebody has already, whose own things must survive.

Their owner logs in as another user, on another port, and has a password for sudo; one is reached
over a jump host, and there are a site and a database on it.

They are booted by nspawn, and from then on known only by production.yml. The tests are the
chapters, in this order.
"""

import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from ruamel.yaml import YAML

from tests.e2e.kill_runs import NOTHING_CHANGED
from tests.e2e.sandbox import Run, Sandbox, eventually
from tests.e2e.terminal import answer
from tests.e2e.traces import Traces

USER, PASSWORD, PORT = "deploy", "correct horse 'battery'", 2222
UNQUOTED = PASSWORD.partition(" '")[0]
"""The password as far as its quotes, which shells and logs write in several ways."""
SHOP_PORT = 8090
NETWORK = "192.168.77"
SUDO_QUESTION = "sudo password of deploy"
FINGERPRINT_OF = "sudo ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key"

# The owner's side of it, done as root on each machine before Quartet is let near.
SETTLE_IN = f"""
set -eu
useradd --create-home --shell /bin/bash {USER}
chpasswd <<'END'
{USER}:{PASSWORD}
END
usermod -aG sudo {USER}
install -d -m 700 -o {USER} -g {USER} /home/{USER}/.ssh
install -m 600 -o {USER} -g {USER} ~quartet/.ssh/authorized_keys /home/{USER}/.ssh/authorized_keys
printf 'Port 22\\nPort {PORT}\\n' > /etc/ssh/sshd_config.d/strange.conf
systemctl restart ssh
"""
SHOP_SITE = f"""
set -eu
mkdir -p /srv/shop
echo 'the shop is open' > /srv/shop/index.html
cat > /etc/nginx/sites-enabled/shop <<'END'
upstream app {{ server 127.0.0.1:9; }}
server {{ listen {SHOP_PORT}; root /srv/shop; }}
END
systemctl enable --now nginx
"""
SHOP_DATABASE = """
set -eu
systemctl enable --now mysql
mysql <<'SQL'
CREATE DATABASE shop;
CREATE TABLE shop.orders (id INT PRIMARY KEY, what VARCHAR(40));
INSERT INTO shop.orders VALUES (1, 'tea'), (2, 'bread');
CREATE USER 'shop'@'localhost' IDENTIFIED BY 'their own';
SQL
"""
# Names the files that have the words, and the journal, whose longer entries are compressed in its
# files. grep ends with 2, match or no match, once a file has gone meanwhile.
SEARCH = """
set -eu
read -r words <<'END'
{words}
END
for place in /etc /var/lib/quartet /srv /tmp /run/quartet /var/log; do
    [ ! -e "$place" ] || grep -rlsF -e "$words" -- "$place" || :
done
journalctl --sync
if journalctl --quiet --output=export | grep -qaF -e "$words"; then echo journal; fi
"""
PLANTED = "/var/log/planted"
PLANT = f"""
set -eu
echo {{words}} > {PLANTED}
printf '%s %02000d\\n' {{words}} 0 | systemd-cat
"""
# What Quartet could have changed on a machine: files and links, packages, accounts, its own notes.
STATE = """sudo sh -c '
find /etc /srv /var/lib/quartet -type f -not -path "*/ssh/*" 2>/dev/null | sort | xargs sha256sum
find /etc /srv /var/lib/quartet -type l -printf "%p %l\\n" 2>/dev/null | sort
dpkg -l; getent passwd; ls -A /var/lib/mysql'"""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory, before: Traces) -> Iterator[Sandbox]:
    """Booted machines with a life of their own; the sandbox's `inv` is about production.yml."""
    sandbox = Sandbox(tmp_path_factory.mktemp("strange"), "strange")
    try:
        sandbox.lab().up()
        for machine in ("lb-01", "web-01", "web-02", "db-03"):
            _as_root(sandbox, machine, SETTLE_IN)
        _as_root(sandbox, "web-01", SHOP_SITE)
        _as_root(sandbox, "web-01", SHOP_DATABASE)
        _write_production(sandbox)
        yield sandbox
    finally:
        sandbox.restore()
        sandbox.lab().destroy()


def _as_root(sandbox: Sandbox, machine: str, script: str) -> str:
    """Run a script that is read from standard input, so that sudo's log has nothing of it."""
    argv = ["ssh", "-F", str(sandbox.folder / "ssh_config"), machine, "sudo", "sh", "-s"]
    done = subprocess.run(argv, input=script, text=True, check=False, capture_output=True)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return done.stdout


def _write_production(sandbox: Sandbox, **ssh: object) -> Path:
    """production.yml: the same addresses, and how an owner would log in; db-03 over lb-01."""
    yaml = YAML()
    data = yaml.load(sandbox.topology_file)
    key = str(sandbox.folder / "id_ed25519")
    data["name"], data["provider"] = "shop", "ssh"
    data["ssh"] = {"user": USER, "port": PORT, "key": key, **ssh}
    data["machines"]["db-03"]["ssh"] = {"jump": f"{USER}@{NETWORK}.10:{PORT}"}
    data["machines"]["lb-01"]["ssh"] = {"host": f"{NETWORK}.10"}
    path = sandbox.topology_file.with_name("production.yml")
    yaml.dump(data, path)
    return path


def production(sandbox: Sandbox, *words: str, password: str = PASSWORD) -> Run:
    """Run a task about production.yml at a terminal, and give the password when it asks."""
    return answer(sandbox, [*words, *_about(sandbox)], [(SUDO_QUESTION, password)])


def _about(sandbox: Sandbox) -> list[str]:
    return ["--topology", str(sandbox.topology_file.with_name("production.yml"))]


def _states(sandbox: Sandbox) -> dict[str, str]:
    return {name: sandbox.ssh(name, STATE) for name in ("lb-01", "web-01", "web-02", "db-03")}


@pytest.fixture(scope="module")
def as_found(servers: Sandbox) -> dict[str, str]:
    """The machines before Quartet has done anything."""
    return _states(servers)


def _known_hosts(servers: Sandbox) -> Path:
    return servers.folder / "production" / "known_hosts"


def test_unknown_keys_stop_the_run_before_anything_is_sent(
    servers: Sandbox, as_found: dict[str, str]
) -> None:
    run = production(servers, "provision")
    assert run.code == 1, run.output
    assert SUDO_QUESTION not in run.output
    assert "its host key is not known yet, so nothing was sent" in run.output
    assert f"./lab trust {' '.join(_about(servers))}" in run.output
    assert _states(servers) == as_found


def test_trust_shows_the_machines_own_fingerprints_and_records_none_without_a_yes(
    servers: Sandbox,
) -> None:
    run = answer(servers, ["trust", *_about(servers)], [("[y/N]", "n")])
    assert run.code == 1, run.output
    assert servers.ssh("lb-01", FINGERPRINT_OF).split()[1] in run.output
    assert _known_hosts(servers).read_text() == ""


def test_trust_records_the_keys_that_were_confirmed(servers: Sandbox) -> None:
    # First the jump host alone, since db-03 can be asked only over it; then all machines.
    run = answer(servers, ["trust", *_about(servers)], [("[y/N]", "y"), ("[y/N]", "y")])
    assert run.code == 0, run.output
    for machine in ("web-01", "db-03"):
        assert servers.ssh(machine, FINGERPRINT_OF).split()[1] in run.output
    again = servers.inv("trust", *_about(servers))
    assert again.code == 0
    assert again.output.count("trusted already") == 5


def test_plan_says_what_would_happen_and_changes_nothing(
    servers: Sandbox, as_found: dict[str, str]
) -> None:
    run = production(servers, "provision", "--plan")
    assert run.code == 0, run.output
    assert "to change" in run.output
    assert "/etc/haproxy/haproxy.cfg" in run.output
    # Of web-01's MySQL and Nginx, which are in use; and of the empty servers.
    assert run.output.count("      restarts\n") >= 2
    assert run.output.count("its data are replaced by a clone of web-01") == 2
    assert PASSWORD not in run.output
    assert _states(servers) == as_found


def test_wrong_sudo_password_is_one_error_and_changes_nothing(
    servers: Sandbox, as_found: dict[str, str]
) -> None:
    run = production(servers, "provision", password="wrong")
    assert run.code == 1, run.output
    assert run.output.count("sudo refused the password of deploy") == 1
    assert _states(servers) == as_found


def test_unreachable_jump_host_is_one_error_and_changes_nothing(
    servers: Sandbox, as_found: dict[str, str]
) -> None:
    _write_production(servers, jump=f"{USER}@{NETWORK}.10:2999")
    run = production(servers, "provision")
    _write_production(servers)
    assert run.code == 1, run.output
    assert run.output.count("can't be reached") == 1, run.output
    assert f"jump host {NETWORK}.10" in run.output
    assert _states(servers) == as_found


def test_changed_host_key_is_one_error_and_changes_nothing(
    servers: Sandbox, as_found: dict[str, str]
) -> None:
    known = _known_hosts(servers)
    good = known.read_text()
    other = servers.ssh("lb-01", "sudo ssh-keygen -yf /etc/ssh/ssh_host_ed25519_key").split()[1]
    own = servers.ssh("web-02", "sudo ssh-keygen -yf /etc/ssh/ssh_host_ed25519_key").split()[1]
    known.write_text(good.replace(own, other))
    run = production(servers, "provision")
    trusting = answer(servers, ["trust", *_about(servers)], [("[y/N]", "n")])
    known.write_text(good)
    assert run.code == 1, run.output
    assert "web-02: its host key has changed, so nothing was sent" in run.output
    assert "CHANGED since it was trusted" in trusting.output
    assert _states(servers) == as_found


def test_server_that_replicates_from_elsewhere_is_refused_and_nothing_changes(
    servers: Sandbox, as_found: dict[str, str]
) -> None:
    servers.ssh("db-03", "sudo systemctl start mysql")
    _sql(servers, "db-03", "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '10.9.9.9'")
    foreign = _states(servers)
    run = production(servers, "provision")
    assert run.code == 1, run.output
    assert "db-03: its MySQL server replicates from 10.9.9.9" in run.output
    assert _states(servers) == foreign
    _sql(servers, "db-03", "RESET REPLICA ALL")


def _sql(servers: Sandbox, machine: str, statement: str) -> str:
    return servers.ssh(machine, f'sudo mysql -N -e "{statement}"')


def test_port_of_another_program_is_refused_and_nothing_changes(servers: Sandbox) -> None:
    servers.ssh("lb-01", "sudo systemd-run --unit=other --quiet python3 -m http.server 80")
    assert eventually(lambda: ":80 " in servers.ssh("lb-01", "ss -Hlnt"))
    run = production(servers, "provision")
    servers.ssh("lb-01", "sudo systemctl stop other")
    assert run.code == 1, run.output
    assert "lb-01: port 80 is taken by python3, and haproxy needs it" in run.output
    # What a run that goes on ends with, as the second one below.
    assert "unchanged" not in run.output
    assert servers.try_ssh("web-02", "test -e /var/lib/quartet").returncode != 0


def test_names_that_are_somebody_elses_are_refused_and_nothing_changes(servers: Sandbox) -> None:
    servers.ssh("web-02", "sudo useradd --create-home --shell /bin/bash app")
    _sql(servers, "web-01", "CREATE DATABASE app")
    run = production(servers, "provision")
    servers.ssh("web-02", "sudo userdel --remove app 2>/dev/null")
    _sql(servers, "web-01", "DROP DATABASE app")
    assert run.code == 1, run.output
    assert "web-02: has a user 'app' already, and not from Quartet" in run.output
    assert "web-01: its MySQL server has a database 'app' already" in run.output
    assert servers.try_ssh("lb-01", "test -e /var/lib/quartet").returncode != 0


def test_up_provisions_and_verifies_the_servers(servers: Sandbox) -> None:
    run = production(servers, "up")
    assert run.code == 0, run.output
    assert "0 failed" in run.output
    assert "checks passed" in run.output
    assert run.output.count(SUDO_QUESTION) == 1
    assert PASSWORD not in run.output


def test_their_site_is_still_served(servers: Sandbox) -> None:
    page = requests.get(f"http://{NETWORK}.11:{SHOP_PORT}/", timeout=5)
    assert page.text == "the shop is open\n"


def test_their_database_has_survived_and_is_on_every_replica(servers: Sandbox) -> None:
    for machine in ("web-01", "web-02", "db-03"):
        assert _sql(servers, machine, "SELECT what FROM shop.orders") == "tea\nbread\n"
    servers.ssh("web-01", "mysql --user=shop --password='their own' -e 'SELECT 1'")


def test_what_was_replaced_is_kept_beside_it(servers: Sandbox) -> None:
    kept = servers.ssh("lb-01", "cat /etc/haproxy/haproxy.cfg.before-quartet")
    assert "defaults" in kept
    assert "Quartet" not in kept


@pytest.mark.parametrize("machine", ["lb-01", "web-01"])
def test_password_is_nowhere_on_the_machines(servers: Sandbox, machine: str) -> None:
    planted = f"planted-{secrets.token_hex(8)}"
    _as_root(servers, machine, PLANT.format(words=planted))
    try:
        assert eventually(lambda: {PLANTED, "journal"} <= _places_of(servers, machine, planted))
    finally:
        servers.ssh(machine, f"sudo rm {PLANTED}")
    assert _places_of(servers, machine, UNQUOTED) == set()


def _places_of(servers: Sandbox, machine: str, words: str) -> set[str]:
    """Where on a machine the words are."""
    return set(_as_root(servers, machine, SEARCH.format(words=words)).splitlines())


def test_password_is_nowhere_here(servers: Sandbox) -> None:
    files = [path for path in servers.folder.rglob("*") if path.is_file()]
    assert any(USER in path.read_text(errors="replace") for path in files)
    assert not [path for path in files if UNQUOTED in path.read_text(errors="replace")]


def test_second_run_changes_nothing(servers: Sandbox) -> None:
    run = production(servers, "provision")
    assert run.code == 0, run.output
    assert NOTHING_CHANGED.search(run.output), run.output


def test_databases_are_asked_with_the_password_too(servers: Sandbox) -> None:
    status = production(servers, "db.status")
    assert status.code == 0, status.output
    switched = production(servers, "db.switchover", "--to", "web-02")
    assert switched.code == 0, switched.output
    assert "web-02 is the primary" in switched.output
    assert production(servers, "db.switchover", "--to", "web-01").code == 0


def test_verify_asks_for_the_password_by_itself(servers: Sandbox) -> None:
    run = production(servers, "verify", "--settle=60")
    assert run.code == 0, run.output
    wrong = production(servers, "verify", password="wrong")
    assert wrong.code == 1
    assert "sudo refused the password" in wrong.output


def test_without_a_terminal_the_password_is_asked_for_in_vain(servers: Sandbox) -> None:
    run = servers.inv("provision", *_about(servers))
    assert run.code == 1
    assert "there is no terminal to ask for it" in run.output
    assert "Traceback" not in run.output


@pytest.mark.parametrize("task", ["halt", "reboot", "destroy"])
def test_servers_are_not_switched_or_removed(servers: Sandbox, task: str) -> None:
    run = servers.inv(task, *_about(servers))
    assert run.code == 1
    assert "describes servers that exist already" in run.output


def test_status_tells_who_lets_us_in(servers: Sandbox) -> None:
    run = servers.inv("status", *_about(servers))
    assert run.code == 0, run.output
    assert run.output.count("running") == 4
