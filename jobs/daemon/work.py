"""From the configuration to the jobs, each with its guarded connections to the outside."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from analyzer.collect.snapshot import ClusterSource
from analyzer.config import Config
from analyzer.config.zone import zone_of
from analyzer.errors import BadAnswer, ConfigError, Denied
from jobs.breaker import Breaker, Breakers
from jobs.daemon.choose import cadences
from jobs.daemon.fence import fenced
from jobs.daemon.guarded import Around, guarded
from jobs.daemon.posting import post_waiting
from jobs.daemon.runner import Job, Stopped, Turn
from jobs.daemon.state import State
from jobs.daemon.tasks import daily, flags, morning, report, sleep, usage
from jobs.periods import EveryMinute
from jobs.reading import analysing, looking
from jobs.sites import check_schedule, sites
from jobs.slack import poster_of
from jobs.sleeping.survey import Activities
from jobs.sleeping.tick import Report
from jobs.sleeping.view import Site
from jobs.wiring import Choice, sources

POSTING = "post-notices"
"""Posts what the other jobs have to tell; there only where a channel or a webhook is."""

KEPT_NOTICES = timedelta(days=400)


@dataclass(frozen=True)
class Surroundings:
    """What every job is given. ``may_act`` says for how many seconds this process may change
    anything, and raises ``NotLeader``; ``heard`` is told what each look at a cluster brought."""

    state: State
    breakers: Breakers
    may_act: Callable[[], float]
    stop: threading.Event
    clock: Callable[[], datetime]
    heard: Callable[[Report], None]


@dataclass(frozen=True)
class Work:
    """The jobs of one configuration, and the servers that they ask."""

    config: Config
    jobs: Mapping[str, Job]
    servers: tuple[Breaker, ...]


def work(config: Config, around: Surroundings) -> Work:
    """Reads nothing and asks nobody. Raises ``ConfigError`` for what cannot be worked with."""
    check_schedule(config)
    made = _Maker(config, around)
    wanted = cadences(config)
    makers: Mapping[str, Callable[[], Callable[[Turn], None] | None]] = {
        "sleep": made.sleep,
        "flag-underused": made.flags,
        "weekly-report": made.report,
        "record-usage": made.usage,
        "morning-check": made.morning,
    }
    jobs: dict[str, Job] = {}
    for name, cadence in wanted.items():
        run = makers[name]()
        if run is not None:
            jobs[name] = Job(name, cadence, run, latest_only=name == "sleep")
    if config.slack.destination:
        jobs[POSTING] = Job(POSTING, EveryMinute(), made.posting(), latest_only=True)
    if not jobs:
        raise ConfigError(f"{config.path or 'defaults'}: [jobs] run: no job is left to run")
    return Work(config, jobs, (around.state.breaker, *made.servers))


class _Maker:
    def __init__(self, config: Config, around: Surroundings) -> None:
        self._config = config
        self._around = around
        self.servers: list[Breaker] = []
        found = [self._guarded(source) for source in sources(config.clusters, Choice())]
        self._look = looking(config, lambda: found, around.clock)
        self._analyse = analysing(self._look)
        self._said: sleep.Said | None = None

    def _breaker(self, service: str, name: str) -> Breaker:
        found = self._around.breakers.of(service, name)
        if found not in self.servers:
            self.servers.append(found)
        return found

    def _guarded(self, source: ClusterSource) -> ClusterSource:
        prometheus = self._prometheus(source.name)
        kubernetes = self._kubernetes(source.name) if source.kube is not None else nullcontext
        return guarded(source, self._unless_stopped(prometheus), self._unless_stopped(kubernetes))

    def _unless_stopped(self, around: Around) -> Around:
        @contextmanager
        def entered() -> Iterator[None]:
            if self._around.stop.is_set():
                raise Stopped("the daemon ends")
            with around():
                yield

        return entered

    def _prometheus(self, cluster: str) -> Breaker:
        return self._breaker("prometheus", f"Prometheus of {cluster}")

    def _kubernetes(self, cluster: str) -> Breaker:
        return self._breaker("kubernetes", f"Kubernetes API of {cluster}")

    def sleep(self) -> Callable[[Turn], None] | None:
        """None where no cluster has an API: nothing can be put to sleep there."""
        found, around = self._sites(), self._around
        if not found:
            return None
        said = self._said = sleep.Said()

        def run(turn: Turn) -> None:
            these = [replace(site, run=turn.run_id) for site in found]
            sleep.run_once(these, turn.now, said, around.heard)

        return run

    def morning(self) -> Callable[[Turn], None] | None:
        """None as for sleep."""
        found, config = self._sites(), self._config
        if not found:
            return None
        zone, deadline = zone_of(config.jobs.timezone), config.sleep.ready_deadline

        def run(turn: Turn) -> None:
            database = self._around.state.open()
            names = morning.identities(found)
            watched = morning.Watched(names, deadline, config.slack.destination, zone)
            attention = self._said.attention if self._said else None
            morning.run_once(turn.period, database, watched, attention, turn.now)

        return run

    def _sites(self) -> list[Site]:
        config = self._config
        if not any(one.kubernetes.enabled for one in config.clusters):
            return []
        made = sites(config, Choice(), not config.sleep.enabled, self._around.state.ledger)
        return [self._site(site) for site in made]

    def _site(self, site: Site) -> Site:
        around, read = self._around, site.activity
        prometheus = self._prometheus(site.name)
        kubernetes = self._kubernetes(site.name)
        api = replace(site.api, guard=around.may_act, fence=fenced, around=kubernetes)

        def activity(now: datetime) -> Activities:
            with prometheus():
                return read(now) if read is not None else {}

        told = activity if read is not None else None
        return replace(site, api=api, activity=told, stop=around.stop, clock=around.clock)

    def flags(self) -> Callable[[Turn], None]:
        config, around = self._config, self._around
        zone = zone_of(config.jobs.timezone)
        telling = flags.Telling(config.slack.destination, config.analysis.window, zone)

        def run(turn: Turn) -> None:
            database = around.state.open()
            daily.run_once(turn.period, self._analyse, database, telling, turn.now, turn.run)

        return run

    def report(self) -> Callable[[Turn], None]:
        def run(turn: Turn) -> None:
            database = self._around.state.open()
            report.run_once(turn.period, self._look, database, self._config, turn.now)

        return run

    def usage(self) -> Callable[[Turn], None]:
        def run(turn: Turn) -> None:
            usage.run_once(turn.period, self._analyse, self._around.state.usage(), turn.now)

        return run

    def posting(self) -> Callable[[Turn], None]:
        around = self._around
        slack = self._breaker("slack", "Slack")
        # A token that is not good any more is for a person to mend, who has to hear of it.
        slack.tells = (ConfigError, Denied, BadAnswer)
        poster = poster_of(self._config, slack)

        def run(turn: Turn) -> None:
            notices = around.state.notices()
            if turn.period.due.minute == 0:
                notices.prune(turn.now - KEPT_NOTICES)
            post_waiting(notices, poster, around.may_act, turn.now)

        return run
