"""Puts to sleep and wakes what is due now, on every cluster at once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from analyzer.errors import GpuThriftError, PartlyDone
from analyzer.model import WorkloadKey
from analyzer.sleep.morning import Attention
from jobs.daemon.leadership import NotLeader
from jobs.logs import with_context
from jobs.sleeping.tick import Report
from jobs.sleeping.tick import run_once as run_on_site
from jobs.sleeping.view import Site

log = logging.getLogger("gpu_thrift.sleep")

LOUD = frozenset(
    {"bad-annotation", "contested", "memory-lost", "metrics-missing", "person-changed"}
)
"""Reasons that somebody should look into."""


RIGHTLY = frozenset({"already-asleep", "put-to-sleep-by-person"})
"""Reasons for which something sleeps on as its schedule or a person says, whatever they said when
it was put to sleep."""


class Said:
    """Warnings that hold for long are logged when they begin to hold, not every minute."""

    def __init__(self) -> None:
        self._lines: set[str] = set()
        self._rightly: frozenset[WorkloadKey] = frozenset()

    @property
    def attention(self) -> Attention:
        """What the latest run knows that a person should look into; from any thread."""
        return Attention(tuple(sorted(self._lines)), self._rightly)

    def seen(self, reports: Iterable[Report]) -> None:
        """What a run found asleep that should be; of what could not be read nothing is known."""
        self._rightly = frozenset(
            one.target.key
            for report in reports
            for one in report.decided
            if one.decision.reason in RIGHTLY
        )

    def say(self, lines: Iterable[str]) -> None:
        now = dict.fromkeys(lines)
        for line in now:
            if line not in self._lines:
                log.warning("%s", line)
        for line in sorted(self._lines - now.keys()):
            log.info("no longer so: %s", line)
        self._lines = set(now)


def run_once(
    sites: Sequence[Site],
    now: datetime,
    said: Said,
    heard: Callable[[Report], None] = lambda _: None,
) -> None:
    """One look at every cluster; ``heard`` is given each report.

    Raises ``PartlyDone`` that names what was not done, after everything else was.
    """
    failures: list[str] = []
    reports: list[Report] = []
    with ThreadPoolExecutor(max(1, len(sites)), "site") as pool:
        # A cluster that does not answer must not keep another one's models asleep.
        look = with_context(_look)
        for found in pool.map(lambda site: look(site, now), sites):
            if isinstance(found, str):
                failures.append(found)
                continue
            heard(found)
            reports.append(found)
            failures += found.failures
    said.say(line for found in reports for line in loud(found))
    said.seen(reports)
    if failures:
        raise PartlyDone(f"not everything was done: {'; '.join(failures)}")


def _look(site: Site, now: datetime) -> Report | str:
    try:
        return run_on_site(site, now)
    except NotLeader:
        raise
    except GpuThriftError as error:
        return f"{site.name}: {error}"
    except Exception as error:  # noqa: BLE001 - one cluster never stops the others
        return f"{site.name}: {type(error).__name__}: {error}"


def loud(report: Report) -> list[str]:
    """What a person should look into, one line each."""
    return [
        f"{one.target.key}: {one.decision.reason} ({one.decision.evidence})"
        for one in report.decided
        if one.decision.reason in LOUD or _is_stuck(one.decision.reason, one.decision.evidence)
    ]


def _is_stuck(reason: str, evidence: str) -> bool:
    """Asleep, and not ours to wake: it is production or unknown by now."""
    return reason == "environment" and evidence.startswith("asleep")
