"""The workload kinds that can sleep, one file each: how each is read, stopped and restored."""

from __future__ import annotations

from collections.abc import Iterable

from analyzer.config import CustomKindConfig
from jobs.kinds import (
    deployment,
    inferenceservice,
    leaderworkerset,
    raycluster,
    rayservice,
    rollout,
    scaledobject,
    statefulset,
)
from jobs.kinds.custom import custom_kind
from jobs.kinds.kind import Kind

BUILT_IN: tuple[Kind, ...] = (
    deployment.KIND,
    statefulset.KIND,
    rollout.KIND,
    leaderworkerset.KIND,
    scaledobject.KIND,
    inferenceservice.KIND,
    rayservice.KIND,
    raycluster.KIND,
)


def kinds(custom: Iterable[CustomKindConfig] = ()) -> tuple[Kind, ...]:
    """The built-in kinds and the configured ones."""
    return (*BUILT_IN, *map(custom_kind, custom))
