"""Whether a workload is by now as advice asked: one predicate an action.

Each is given what the advice was made from and what it asks for, as texts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from analyzer.advice import Action
from analyzer.analysis import WorkloadUse
from analyzer.sleep.annotations import AWAKE, has_memory


def is_done(action: Action, before: str, after: str, use: WorkloadUse) -> bool:
    """False where it cannot be told."""
    return _DONE[action](before, after, use)


def _has_replicas(before: str, after: str, use: WorkloadUse) -> bool:
    """As many as asked for, or beyond; on the way there is not done. What sleeps says nothing."""
    now = use.workload.replicas
    if now is None or has_memory(use.workload.annotations):
        return False
    if not (before.isdecimal() and after.isdecimal()):
        return False
    was, wanted = int(before), int(after)
    return now <= wanted < was if wanted < was else now >= wanted > was


def _has_gpu(_: str, after: str, use: WorkloadUse) -> bool:
    count, _, model = after.rpartition(" × ")
    return use.gpu_model == model and (not count or use.workload.gpus_per_replica == int(count))


def _shares(_: str, __: str, use: WorkloadUse) -> bool:
    part = use.workload.gpus_per_replica
    return use.workload.shared or (part is not None and 0 < part < 1)


def _sleeps(_: str, __: str, use: WorkloadUse) -> bool:
    return AWAKE in use.workload.annotations or has_memory(use.workload.annotations)


def _is_removed(_: str, __: str, use: WorkloadUse) -> bool:
    workload = use.workload
    if workload.exists is False:
        return True
    return workload.replicas == 0 and not has_memory(workload.annotations)


def _is_on_spot(_: str, __: str, use: WorkloadUse) -> bool:
    return use.spot_share is not None and use.spot_share > 0.5


_DONE: Mapping[Action, Callable[[str, str, WorkloadUse], bool]] = {
    "add-replicas": _has_replicas,
    "reduce-replicas": _has_replicas,
    "smaller-gpu": _has_gpu,
    "share-gpu": _shares,
    "use-spot": _is_on_spot,
    "sleep-overnight": _sleeps,
    "remove": _is_removed,
}
