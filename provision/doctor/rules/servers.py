"""Whether this host can log in to servers that exist already; none of them is asked."""

from collections.abc import Iterator

from provision.doctor.facts.servers import KeyFile, SshFacts
from provision.doctor.finding import Finding, error, ok, warning

READABLE_BY_OTHERS = 0o077  # ssh(1) ignores a private key that others can read or write


def judge_ssh(facts: SshFacts) -> Iterator[Finding]:
    """Judge the client, each key file, and the agent."""
    yield _judge_client(has_client=facts.has_client)
    yield from map(judge_key, facts.keys)
    yield _judge_agent(facts)


def judge_key(key: KeyFile) -> Finding:
    """Tell whether ssh would take this file for a private key of ours."""
    name = f"key {key.path}"
    if key.mode is None:
        return error(
            name,
            "no such file",
            f"ssh-keygen -t ed25519 -f {key.path}, and its .pub to the servers",
        )
    if not key.is_readable:
        return error(name, "we may not read it", f"sudo chown $USER {key.path}")
    if key.mode & READABLE_BY_OTHERS:
        found = f"mode {key.mode:04o}: others may use it, so ssh won't"
        return error(name, found, f"chmod 600 {key.path}")
    return ok(name, f"mode {key.mode:04o}")


def _judge_client(*, has_client: bool) -> Finding:
    if has_client:
        return ok("ssh", "installed")
    return error("ssh", "not installed", "sudo apt-get install openssh-client")


def _judge_agent(facts: SshFacts) -> Finding:
    if facts.agent_keys:
        return ok("ssh agent", "answers, and holds keys")
    found = "none answers" if facts.agent_keys is None else "it holds no key"
    if facts.keys:
        return ok("ssh agent", f"{found}; topology.yml names key files")
    mend = "eval $(ssh-agent) && ssh-add, or ssh: {key: …} in topology.yml"
    return warning("ssh agent", f"{found}, and topology.yml names no key file", mend)
