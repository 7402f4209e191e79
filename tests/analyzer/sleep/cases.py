"""Workloads and cases to decide on, as short as a test can have them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from analyzer.config import EnvironmentConfig
from analyzer.model import Workload, WorkloadKey
from analyzer.sleep.annotations import Defaults, read_wishes, write_memory
from analyzer.sleep.case import Case, Known, Rules, case_of
from analyzer.sleep.decision import decide
from analyzer.sleep.manual import Order
from analyzer.sleep.model import Memory, Owner, Row, Target

NIGHT = datetime(2026, 11, 24, 21, 0, tzinfo=UTC)  # a Tuesday
DAY = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
MORNING = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
RULES = Rules(
    EnvironmentConfig(),
    frozenset({"development"}),
    Defaults("Mon-Fri 08:00-20:00", "UTC"),
    grace=timedelta(minutes=15),
)
MEMORY = Memory(4, NIGHT, "schedule", MORNING, 0)
BY_ALICE = replace(MEMORY, by="person alice")
ALICE = Order("alice")
ARGO = Owner("Argo CD", "team", "argocd.argoproj.io/tracking-id")


def target(setting: Any = 4, **more: Any) -> Target:
    """A Deployment of development; ``memory`` is what its annotations remember."""
    labels = more.pop("labels", {"environment": "development"})
    annotations = dict(more.pop("annotations", {}))
    memory = more.pop("memory", None)
    if memory is not None:
        written = write_memory(memory, more.get("counts", True))
        annotations |= {name: text for name, text in written.items() if text is not None}
    workload = Workload(
        WorkloadKey("c", "ml", "Deployment", more.pop("name", "chat")),
        labels=labels,
        annotations={
            f"gpu-thrift.io/{k}" if "/" not in k else k: v for k, v in annotations.items()
        },
        replicas=setting if isinstance(setting, int) else 1,
        gpus_per_replica=more.pop("gpus", 1.0),
    )
    values: dict[str, Any] = {"created_at": DAY - timedelta(days=9), "stop": 0} | more
    return Target(workload, "u1", "1", setting=setting, **values)


def case(one: Target, now: datetime = NIGHT, **known: Any) -> Case:
    wishes = read_wishes(one.workload.annotations, known.pop("namespace", {}), RULES.defaults)
    rules = known.pop("rules", RULES)
    return case_of(one, Known(wishes, **known), rules, now)


def told(one: Target, now: datetime = NIGHT, rules: Rules = RULES, **known: Any) -> Any:
    return decide(case(one, now, rules=rules, **known), rules).decision


def row(memory: Memory = MEMORY, **more: Any) -> Row:
    return Row(WorkloadKey("c", "ml", "Deployment", "chat"), "u1", memory, **more)
