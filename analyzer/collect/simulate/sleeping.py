"""What a ledger would know of the simulated fleet's nights."""

from __future__ import annotations

from datetime import UTC, datetime

from analyzer.collect.simulate.fleet import App, Fleet
from analyzer.model import WorkloadKey
from analyzer.sleep.model import SCHEDULE, Slept


def sleeps(fleet: Fleet, cluster: str) -> tuple[Slept, ...]:
    """Each time within the simulated weeks that a Deployment which is still there was scaled to
    zero and back, the oldest first. No dollars are in them: what a GPU costs is for prices to
    say."""
    found = [
        one for app in fleet.apps if app.kind == "Deployment" for one in _of(fleet, app, cluster)
    ]
    return tuple(sorted(found, key=lambda one: (one.since, one.key)))


def _of(fleet: Fleet, app: App, cluster: str) -> list[Slept]:
    if app.end_s < fleet.span[1]:
        return []
    scaling = fleet.scaling[app.namespace, app.name]
    pods = fleet.pods_of(app.namespace, app.name)
    ends = (*scaling.from_s[1:], None)
    found = []
    for i, (from_s, count) in enumerate(zip(scaling.from_s, scaling.count, strict=True)):
        if count or i == 0 or not fleet.span[0] <= from_s < fleet.span[1]:
            continue
        end_s = ends[i]
        # What is yet to come no ledger knows.
        until_s = end_s if end_s is not None and end_s < fleet.span[1] else None
        ran = [pod for pod in pods if abs(pod.ended_s - from_s) < 60]
        woke = [pod for pod in pods if until_s is not None and abs(pod.created_s - until_s) < 60]
        found.append(
            Slept(
                key=WorkloadKey(cluster, app.namespace, app.kind, app.name),
                uid=f"{app.namespace}-{app.name}",
                since=datetime.fromtimestamp(from_s, UTC),
                until=None if until_s is None else datetime.fromtimestamp(until_s, UTC),
                gpus=float(app.gpus * scaling.count[i - 1]),
                usd_per_hour=None,
                nodes=tuple(sorted({pod.node.name for pod in ran})),
                by=SCHEDULE,
                ended="" if until_s is None else "woken",
                ready_at=datetime.fromtimestamp(max(pod.ready_s for pod in woke), UTC)
                if woke
                else None,
            )
        )
    return found
