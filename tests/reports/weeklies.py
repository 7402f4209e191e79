"""Weeks of fleets of every sort, as digests; the figures come from snapshots made by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np

from analyzer.advice import Saving
from analyzer.config import Config
from analyzer.followed import Accepted, Followed
from analyzer.model import GpuUse, Notice, Serving, Snapshot, Window, Workload, WorkloadKey
from analyzer.sleep.model import NotDone, Slept
from analyzer.weeks import Spend, Week
from jobs.demo import Demo, last_week
from jobs.wiring import analysed
from reports.digest import Digest, Past, digest
from tests import builders as make

NAME = "2026-W47"
WEEK = make.window()
HOUR = timedelta(hours=1)
EVIL = '</script><img src=x onerror=alert(1)>"&<!channel> `*_~:tada:'
LONG = "a" * 300


@cache
def demo() -> Digest:
    """The simulated fleet's last week, as the demo shows it."""
    simulated = Demo(1)
    month = simulated.snapshot(simulated.whole)
    name, window = last_week()
    snapshot = simulated.snapshot(window)
    analysis = analysed(Config(), snapshot, snapshot.taken_at)
    return digest(name, snapshot, analysis, simulated.past(month, analysis))


def empty() -> Digest:
    """A cluster without any GPU."""
    return _made(make.snapshot())


def one() -> Digest:
    """One workload, half busy, and a ledger that knows of nothing."""
    chat = make.workload(namespace="llm", pod_labels={"environment": "production", "team": "chat"})
    return _made(
        make.snapshot(
            workloads=(chat,),
            use=(make.gpu_use(chat.key),),
            pools=(make.pool(allocated=8.0, present=8.0),),
        )
    )


def first_week() -> Digest:
    """Some workloads, and a ledger that was begun on Wednesday of the week before."""
    begun = Past(weeks=(week("2026-W46", 101.0, cost=3000.0),), sleeps=(), followed=())
    return _made(_some(), begun)


def typical() -> Digest:
    """Some workloads, four weeks before it, nights, and advice that was followed."""
    return _made(_some(), _past())


def half_down() -> Digest:
    """From Thursday noon on nothing was measured; a second cluster could not be read at all."""
    snapshot = _some()
    silent = np.arange(WEEK.steps) >= WEEK.steps // 2
    use = tuple(
        replace(
            one,
            observed=np.where(silent, np.float32(0), one.observed),
            work=np.where(silent, np.float32(0), one.work),
        )
        for one in snapshot.use
    )
    told = Notice("main", "outage", "Prometheus has no samples from Thursday 12:00 on")
    down = replace(
        snapshot,
        use=use,
        clusters=("main", "eu-2"),
        notices=(told,),
        failed={"eu-2": "Prometheus of eu-2 cannot be reached: connection refused"},
    )
    past = replace(_past(), sleeps=None, followed=None, problems=("the ledger is locked",))
    return _made(down, past)


def clock_change() -> Digest:
    """The 169 hours of the week in which Berlin's clocks go back."""
    zone = ZoneInfo("Europe/Berlin")
    begin, end = (datetime(2026, 10, day, tzinfo=zone).astimezone(UTC) for day in (19, 26))
    config = replace(Config(), analysis=replace(Config().analysis, timezone="Europe/Berlin"))
    return _made(_some(Window(begin, end)), None, config, "2026-W43")


def hostile() -> Digest:
    """Names that would be markup, mentions, cells, or longer than any screen."""
    names = (
        EVIL,
        LONG,
        "a|b\u202egnp.exe",
        "line\nbreak\x1b[31m",
        "*bold* _it_ `code` :fire:",
        "@here",
    )
    labels = {"team": EVIL, "environment": "production"}
    workloads = tuple(make.workload(name, namespace="<!here>", pod_labels=labels) for name in names)
    use = tuple(make.gpu_use(one.key, work=0.0) for one in workloads)
    slept = tuple(_slept(one.key, 1.0, cause=f"{EVIL} is not there") for one in workloads[:2])
    undone = (NotDone(workloads[0].key, WEEK.start + HOUR, "wake", "failed", f"refused: {EVIL}"),)
    made = make.snapshot(
        workloads=workloads,
        use=use,
        serving=tuple(make.serving(one.key, model=EVIL, running=1.0) for one in workloads),
        pools=(make.pool(node=make.node_class(pool=EVIL)),),
        notices=(Notice("main", "odd", f"a label says {EVIL}", EVIL),),
    )
    past = Past((), slept, undone, (_followed(workloads[0].key),), (f"odd: {EVIL}",))
    return _made(made, past)


@cache
def many() -> Digest:
    """500 workloads of five teams, as a large company may have."""
    rng = np.random.default_rng(1)
    spent = [_of_many(n, rng) for n in range(500)]
    return _made(
        make.snapshot(
            workloads=tuple(workload for workload, _, _ in spent),
            use=tuple(use for _, use, _ in spent),
            serving=tuple(one for _, _, one in spent if one is not None),
            pools=(
                make.pool(present=2000.0, allocated=1900.0),
                make.pool(node=make.node_class("L4"), present=700.0, allocated=600.0),
            ),
        ),
        Past(_weeks(5_400_000.0), _night_sleeps(spent), (), ()),
    )


ALL: Mapping[str, Callable[[], Digest]] = {
    "demo": demo,
    "typical": typical,
    "empty": empty,
    "one": one,
    "many": many,
    "first-week": first_week,
    "half-down": half_down,
    "clock-change": clock_change,
    "hostile": hostile,
}


def week(name: str, hours: float = 168.0, cost: float = 12_000.0) -> Week:
    """A week of one cluster: production costs three quarters, of which half is idle."""
    year, number = name.split("-W")
    start = datetime.fromisocalendar(int(year), int(number), 1).replace(tzinfo=UTC)
    part = hours / 168.0
    spent = {
        "production": Spend(1000 * part, 0.75 * cost * part, 0.375 * cost * part),
        "development": Spend(500 * part, 0.25 * cost * part, 0.2 * cost * part),
    }
    window = Window(start, start + 168 * HOUR)
    return Week(name, window, hours, 168.0, spent, 120.0 * part, 500.0 * part, 0.98)


def _weeks(cost: float) -> tuple[Week, ...]:
    return tuple(week(f"2026-W{n}", cost=cost * (1 + 0.05 * (n - 45))) for n in range(43, 47))


def _made(
    snapshot: Snapshot, past: Past | None = None, config: Config | None = None, name: str = NAME
) -> Digest:
    settings = config or Config()
    analysis = analysed(settings, snapshot, snapshot.taken_at)
    return digest(name, snapshot, analysis, past or Past(sleeps=(), followed=()))


def _past() -> Past:
    notebook = make.key("notebook", "research")
    slept = [_slept(notebook, day + 18 / 24, hours=13.0) for day in range(4)]
    slept.append(_slept(notebook, 4 + 18 / 24, hours=61.0, cause="no node with a free GPU"))
    undone = NotDone(notebook, WEEK.start + 80 * HOUR, "sleep", "skipped", "busy: GPU work 64%")
    return Past(
        _weeks(12_000.0), tuple(slept), (undone,), (_followed(make.key("embed", "search")),)
    )


def _some(span: Window | None = None) -> Snapshot:
    """Production that is busy by day, production that is idle, and a notebook that sleeps."""
    span = span or WEEK
    hour = (np.arange(span.steps) // 12) % 24
    day = np.where((hour >= 8) & (hour < 20), 0.9, 0.3)
    labels = {"environment": "production", "team": "chat"}
    chat = make.workload("chat", namespace="llm", pod_labels=labels)
    embed = make.workload(
        "embed",
        namespace="search",
        pod_labels={"environment": "production", "team": "search"},
        gpus_per_replica=1.0,
    )
    notebook = make.workload(
        "notebook",
        namespace="research",
        pod_labels={"environment": "dev", "team": "research"},
        replicas=1,
        gpus_per_replica=1.0,
    )
    awake = np.where((hour >= 7) & (hour < 18), 1.0, 0.0)
    small = make.node_class("L4", instance_type="g6.2xlarge")
    return make.snapshot(
        span,
        workloads=(chat, embed, notebook),
        use=(
            make.gpu_use(chat.key, work=8.0 * day, span=span),
            make.gpu_use(embed.key, allocated=2.0, work=0.0, node=small, span=span),
            make.gpu_use(notebook.key, allocated=awake, work=0.2 * awake, node=small, span=span),
        ),
        serving=(
            make.serving(
                chat.key,
                span=span,
                requests=250_000.0,
                prompt_tokens=310_000_000.0,
                generation_tokens=90_000_000.0,
            ),
        ),
        pools=(
            make.pool(allocated=8.0, present=16.0, span=span),
            replace(
                make.pool(allocated=2.0 + awake, present=3.0 + awake, node=small, span=span),
                nodes=(3.0 + awake).astype(np.float32),
            ),
        ),
    )


def _slept(key: WorkloadKey, at_day: float, hours: float = 13.0, cause: str = "") -> Slept:
    since = WEEK.start + timedelta(days=at_day)
    until = since + hours * HOUR
    ready = None if cause else until + timedelta(minutes=8)
    gpus, usd, nodes = 1.0, 0.805, ("n1",)
    uid, by, ended = f"uid-{key.name}", "schedule", "woken"
    return Slept(key, uid, since, until, gpus, usd, nodes, by, ready, cause, ended)


def _followed(key: WorkloadKey) -> Followed:
    at = WEEK.start - timedelta(days=20)
    return Followed(
        key=key,
        action="reduce-replicas",
        before="4",
        after="2",
        first_seen=at - timedelta(days=9),
        last_seen=at,
        state="accepted",
        state_since=at,
        predicted=Saving(336.0, 1175.3, 587.65, 1),
        plan=True,
        accepted=Accepted(at, 672.0, 540.96, 330.0, 1154.31, "", True),
    )


def _of_many(n: int, rng: np.random.Generator) -> tuple[Workload, GpuUse, Serving | None]:
    environment = ("production", "production", "dev", "staging", "?")[n % 5]
    labels = {"team": f"team-{n % 5}", "environment": environment}
    replicas, gpus = 1 + n % 4, (1.0, 1.0, 2.0, 8.0)[n % 4]
    workload = make.workload(
        f"service-{n:03}-{('chat', 'embed', 'rerank', 'vision', 'eval')[n % 5]}",
        namespace=f"namespace-{n % 12:02}",
        pod_labels=labels,
        replicas=replicas,
        gpus_per_replica=gpus,
    )
    held = replicas * gpus
    hour = (np.arange(WEEK.steps) // 12) % 24
    load = np.clip(rng.normal(0.1 + (n % 9) / 10, 0.05, 24), 0, 1)[hour]
    node = make.node_class("L4" if gpus < 2 else make.H100)
    use = make.gpu_use(workload.key, allocated=held, work=held * load, node=node)
    if n % 3:
        return workload, use, None
    serving = make.serving(
        workload.key,
        model=f"model-{n % 20}",
        running=4.0 * load,
        kv_cache=load * 0.6,
        requests=1000.0 * n,
        prompt_tokens=1e6 * n,
        generation_tokens=2e5 * n,
    )
    return workload, use, serving


def _night_sleeps(
    spent: Sequence[tuple[Workload, GpuUse, Serving | None]],
) -> tuple[Slept, ...]:
    return tuple(
        _slept(workload.key, day + 0.75)
        for workload, _, _ in spent
        if workload.pod_labels.get("environment") == "dev"
        for day in range(5)
    )
