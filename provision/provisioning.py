"""Provisioning as a person sees it: survey, progress, the closing table, and one clear error."""

from collections.abc import Sequence
from pathlib import Path

from provision import roles
from provision.apply import Outcome
from provision.console import say
from provision.converge import Convergence, Selection
from provision.errors import QuartetError
from provision.fleet import Fleet
from provision.secrets import SecretStore
from provision.topology import Topology


def selection(
    machines: tuple[str, ...], chosen: tuple[str, ...], reclone: tuple[str, ...]
) -> Selection:
    """What a run may change; QuartetError for a role that doesn't exist."""
    known = roles.names()
    unknown = sorted(set(chosen) - set(known))
    if unknown:
        raise QuartetError(
            "--only", f"no role is called {unknown[0]!r}", f"pick from {', '.join(known)}"
        )
    return Selection(machines, chosen, frozenset(reclone))


def apply(topology: Topology, secrets: Path, fleet: Fleet, selected: Selection) -> None:
    """Apply what is missing; QuartetError tells at the end that something failed."""
    founded = _founded(secrets)
    convergence = Convergence(
        topology, SecretStore(secrets), fleet, selected, is_founded=founded.exists()
    )
    asked = convergence.ask()
    # It takes long to import, and so do the machines to answer.
    from provision import report  # noqa: PLC0415

    survey = convergence.survey(asked)
    survey.raise_if_refused()
    started = convergence.start_databases(survey)
    if started:
        say(f"started MySQL on {', '.join(started)}, to ask who is primary")
        survey = convergence.survey()
        survey.raise_if_refused()
    console = report.make_console()
    with report.LiveProgress(console, survey.plans) as progress:
        outcomes = convergence.apply(survey, progress)
    if survey.has_data or not any(each.failed or each.skipped for each in outcomes):
        founded.touch(mode=0o600)
    for outcome in outcomes:
        outcome.changed += outcome.machine in started
    report.print_outcomes(console, outcomes)
    say(report.summary(outcomes))
    _raise_if_failed(outcomes)


def show(topology: Topology, secrets: Path, fleet: Fleet, selected: Selection) -> None:
    """Show what provisioning would change; nothing is written, here or on a machine."""
    from provision.diffs import file_diffs  # noqa: PLC0415
    from provision.report import make_console, print_plan  # noqa: PLC0415

    store = SecretStore(secrets, keep=False)
    founded = _founded(secrets).exists()
    survey = Convergence(topology, store, fleet, selected, is_founded=founded).survey()
    survey.raise_if_unsafe()
    chosen = [each for each in survey.plans.values() if selected.has(each.machine)]
    for each in chosen:
        print_plan(make_console(), each, file_diffs(survey.hosts[each.machine], each.steps))
    say(f"plan: {sum(len(each.steps) for each in chosen)} to change")
    failures = [error for name, error in survey.failures.items() if selected.has(name)]
    failures += [survey.undecided] if survey.undecided else []
    failures += survey.refusals
    if failures:
        told = dict.fromkeys(map(str, failures))
        raise QuartetError("plan", "not complete\n" + "\n".join(told))


def _founded(secrets: Path) -> Path:
    """There once databases have been set up, so that silent ones are taken to have data."""
    return secrets.with_name("databases-founded")


def _raise_if_failed(outcomes: Sequence[Outcome]) -> None:
    failed = [each.machine for each in outcomes if each.failed or each.skipped]
    if failed:
        raise QuartetError(
            ", ".join(failed), "not finished", "mend what is said above, and run it again"
        )
