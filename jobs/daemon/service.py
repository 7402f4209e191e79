"""The daemon, put together: what has to be right before it begins, what it looks after, its end."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from types import FrameType

from analyzer.config import ClusterConfig, Config
from analyzer.config.jobs import JOBS
from analyzer.errors import ConfigError, GpuThriftError
from jobs.breaker import REST_S, Breakers
from jobs.daemon.bell import Bell
from jobs.daemon.board import Board, Lost
from jobs.daemon.choose import keeper, leadership
from jobs.daemon.memory import few_arenas
from jobs.daemon.reload import Reloader
from jobs.daemon.runner import Runner, Settings
from jobs.daemon.state import State
from jobs.daemon.tasks.report import folder_of
from jobs.daemon.vitals import DaemonVitals, Parts
from jobs.daemon.work import POSTING, Surroundings, Work, work
from jobs.ledger.errors import LedgerError
from jobs.ledger.notices import Notice
from jobs.metrics import Metrics
from jobs.scheduler import MINUTE, Scheduler
from jobs.web import WebServer, application
from reports.lost import lost_message

log = logging.getLogger("gpu_thrift.daemon")

ALL = (*JOBS, POSTING)

LOOK_S = 1.0
"""How often the daemon looks after itself."""

TOLD = timedelta(days=3)
"""For how long somebody is to be told of a run that was given up; before, it is no news."""

READING = frozenset({"flag-underused", "weekly-report", "record-usage", "morning-check"})
"""Jobs that change nothing outside the ledger, which takes nothing from a process that was
replaced: another daemon may take over while one of them still waits for an answer."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often each job is looked at, and for how long a failing server is left alone."""

    every: timedelta = MINUTE
    rest_s: float = REST_S


class Service:
    """``load`` reads the configuration, ``clock`` tells the time (aware UTC). Raises
    ``GpuThriftError`` for what cannot be begun with."""

    def __init__(
        self, load: Callable[[], Config], clock: Callable[[], datetime], pace: Pace | None = None
    ) -> None:
        pace = pace or Pace()
        config = load()
        self._clock = clock
        self._metrics = Metrics(ALL)
        self._breakers = Breakers(self._metrics.call, pace.rest_s)
        self._board = Board(self._metrics)
        url = config.ledger.url
        assert url is not None  # noqa: S101 - load() fills it in
        self._state = State(url.reveal, self._breakers.of("ledger", "Ledger", LedgerError))
        me = f"{socket.gethostname()}_{secrets.token_hex(4)}"
        self._bell = Bell()
        self._leadership = leadership(config, me, lambda _: self._bell.ring())
        self._place = _api_of(keeper(config))
        self._led = False
        settings = Settings({}, config.jobs.catch_up)
        self._runner = Runner(settings, self._state.runs, self._leadership, me, clock, self._board)
        self._work = self._made(config)
        self._reloader = Reloader(config, load, self._check)
        chores = {"memory": self._remember}
        self._scheduler = Scheduler(self._runner, ALL, pace.every, chores)
        self._signals: list[int] = []
        self._reread = False

    def run(self) -> int:
        """Until a signal ends it. Returns the exit code."""
        few_arenas()
        with ExitStack() as stack, self._heard():
            stack.callback(self._state.close)
            self._check_state()
            reports = self._folder()
            parts = Parts(
                lambda: self._work,
                self._runner,
                self._scheduler,
                self._leadership,
                self._board,
                self._reloader,
                self._clock,
            )
            where = self._work.config.web
            app = application(DaemonVitals(parts, reports), self._metrics, reports)
            web = WebServer(app, where.host, where.port)
            stack.callback(web.close)
            self._leadership.start()
            stack.callback(self._leadership.release)
            self._take(self._work)
            self._metrics.config(True, self._clock())
            self._scheduler.start()
            web.start()
            host = f"[{where.host}]" if ":" in where.host else where.host
            log.info("started; http://%s:%d/ says how it is", host, web.port)
            while not self._signals:
                try:
                    self._look()
                except Exception:
                    # The jobs are worth more than what is said about them.
                    log.exception("the daemon could not look after itself")
                self._bell.wait(LOOK_S)
            return self._end()

    def _look(self) -> None:
        """Follows who leads, the configuration, and the circuits."""
        leads = self._leadership.leads
        self._metrics.leader(leads)
        if leads != self._led:
            self._led = leads
            if leads:
                self._scheduler.wake()
        if not leads:
            self._board.retire()
        if self._reread or self._reloader.changed():
            self._reread = False
            self._reload()
        for one in self._breakers.all():
            self._metrics.breaker(one.service, one.name, one.is_open)

    def _reload(self) -> None:
        self._reloader.reload()
        config = self._reloader.config
        if config is not self._work.config:
            self._take(self._made(config))
            self._scheduler.wake()
        # Those that only a refused configuration names.
        self._breakers.keep(self._work.servers)
        self._metrics.config(not self._reloader.problem, self._clock())

    def _check(self, found: Config) -> None:
        """Raises ``GpuThriftError`` for what cannot be worked with."""
        self._made(found)
        config = replace(found, leadership=self._work.config.leadership)
        if _api_of(keeper(config)) != self._place:
            raise ConfigError(
                f"{config.path or 'defaults'}: [[clusters]] moves the choice of who acts, "
                "so that a second daemon would act as well: needs a restart of all daemons"
            )

    def _made(self, config: Config) -> Work:
        surroundings = Surroundings(
            state=self._state,
            breakers=self._breakers,
            may_act=self._leadership.left,
            stop=self._runner.stop,
            clock=self._clock,
            heard=lambda report: self._board.heard(report, self._clock()),
        )
        return work(config, surroundings)

    def _take(self, made: Work) -> None:
        """``made`` is in force from now on."""
        if "sleep" not in made.jobs:
            log.warning(
                "the sleep job does not run: [jobs] run lacks it, or no cluster has an API; "
                "what sleeps is not woken"
            )
        self._work = made
        self._runner.settings = Settings(made.jobs, made.config.jobs.catch_up)
        for gone in self._breakers.keep(made.servers):
            self._metrics.breaker(gone.service, gone.name, is_open=False)
        self._board.keep_clusters([one.name for one in made.config.clusters])

    def _remember(self) -> None:
        """What the ledger and this process have to tell each other, each minute."""
        try:
            runs, now = self._state.runs(), self._clock()
            self._board.remember(runs.latest(ALL))
            # That nothing could be posted is no news once it can be.
            lost = [one for one in self._board.lost() if one.job != POSTING]
            channel = self._work.config.slack.destination
            if channel:
                # From the ledger, each minute anew: no process has to live to tell it.
                failed = runs.failed(READING, now - TOLD)
                told = [*lost, *(Lost(one.job, one.period, one.detail) for one in failed)]
                self._state.notices().add([_notice(one, channel) for one in told], now)
            self._board.told(lost)
        except LedgerError as error:
            log.debug("%s", error)

    def _check_state(self) -> None:
        """A server may come back; a file that cannot be used stays so until somebody mends it."""
        try:
            self._state.open()
        except LedgerError as error:
            if self._state.is_file:
                raise
            log.warning("begins without the ledger: %s", error)

    def _folder(self) -> Path:
        """The folder of the reports, which has to be there and to be writable."""
        folder = folder_of(self._work.config)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return folder
        except OSError as error:
            raise GpuThriftError(
                f"{folder}: reports cannot be written: {error.strerror}; make the folder writable, "
                "or set reports under [web]"
            ) from error

    @contextmanager
    def _heard(self) -> Iterator[None]:
        """SIGTERM and SIGINT end it, SIGHUP reads the configuration again."""

        def end(number: int, _: FrameType | None) -> None:
            if self._signals:
                # No word in the log: whoever writes there may be what hangs.
                os._exit(128 + number)
            self._signals.append(number)
            self._runner.stop.set()
            self._bell.ring()

        def again(_: int, __: FrameType | None) -> None:
            self._reread = True
            self._bell.ring()

        handlers = {signal.SIGTERM: end, signal.SIGINT: end, signal.SIGHUP: again}
        before = {number: signal.signal(number, do) for number, do in handlers.items()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _end(self) -> int:
        """Lets what runs come to an end, for as long as the grace period lasts."""
        grace = self._work.config.jobs.grace_period.total_seconds()
        name = signal.Signals(self._signals[0]).name
        log.info("%s: ends, what runs has %g s", name, grace)
        if self._scheduler.shutdown(grace):
            log.info("ended")
            return 0
        busy = sorted(self._scheduler.busy_s())
        log.error("still busy after %g s, left to the next daemon: %s", grace, ", ".join(busy))
        if READING.issuperset(busy):
            self._leadership.release()
        # Else the lease runs out by itself, after whatever is under way has ended.
        os._exit(1)


def _api_of(cluster: ClusterConfig | None) -> tuple[str, str] | None:
    """What makes a cluster's API the same one, whatever else is said of the cluster."""
    return (cluster.kubernetes.kubeconfig, cluster.kubernetes.context) if cluster else None


def _notice(lost: Lost, channel: str) -> Notice:
    made = lost_message(lost.job, lost.period, lost.why)
    return Notice(f"job-failed {lost.job} {lost.period}", channel, made.text, made.blocks)
