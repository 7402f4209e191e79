"""A history of one small cluster: what people did, what the program did, and what has to be true
of each workload after it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from analyzer.errors import GpuThriftError
from analyzer.sleep.manual import Order, scale_down, scale_up
from jobs.ledger.ledger import open_ledger
from jobs.ledger.scoped import ClusterLedger
from jobs.sleeping.act import act, acts
from jobs.sleeping.reading import read_identity
from jobs.sleeping.survey import Survey
from jobs.sleeping.tick import run_once
from jobs.sleeping.view import look
from tests.jobs.sleeping.world import Crash, FaultyLedger, World, site

AWAKE = "Mon-Fri 08:00-20:00"
BEGIN = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
MERGE = "application/merge-patch+json"

POD = {
    "metadata": {"labels": {"app": "x"}},
    "spec": {"containers": [{"name": "c", "resources": {"limits": {"nvidia.com/gpu": "1"}}}]},
}
SELECTOR = {"matchLabels": {"app": "x"}}


@dataclass(frozen=True)
class Sort:
    """A kind: where it is, what its setting is, and which value stops it."""

    kind: str
    list_path: str
    stop: Any
    others: tuple[Any, ...]
    """What people set it to; the first is how it is made."""

    def manifest(self, name: str, setting: Any) -> dict[str, Any]:
        metadata: dict[str, Any] = {"name": name, "labels": {"environment": "development"}}
        metadata["creationTimestamp"] = "2026-01-01T00:00:00Z"
        spec: dict[str, Any] = {}
        if self.kind in ("Deployment", "StatefulSet"):
            spec = {"replicas": setting, "selector": SELECTOR, "template": POD, "serviceName": "s"}
        elif self.kind == "RayCluster":
            spec = {"workerGroupSpecs": [{"replicas": 1, "template": POD}]}
            spec |= {} if setting is None else {"suspend": setting}
        elif self.kind == "InferenceService":
            spec = {"predictor": {"model": POD["spec"]["containers"][0]}}
            if setting is not None:
                metadata["annotations"] = {"serving.kserve.io/stop": setting}
        return {"metadata": metadata, "spec": spec}

    def patch(self, setting: Any) -> dict[str, Any]:
        if self.kind == "InferenceService":
            return {"metadata": {"annotations": {"serving.kserve.io/stop": setting}}}
        return {"spec": {"suspend" if self.kind == "RayCluster" else "replicas": setting}}

    def setting(self, item: dict[str, Any]) -> Any:
        if self.kind == "InferenceService":
            return (item["metadata"].get("annotations") or {}).get("serving.kserve.io/stop")
        return item["spec"].get("suspend" if self.kind == "RayCluster" else "replicas")

    def same(self, one: Any, other: Any) -> bool:
        """Absent and false are one to a person's eye, not to ``truth``."""
        return type(one) is type(other) and one == other


N = "/namespaces/ml/"
SORTS = (
    Sort("Deployment", f"/apis/apps/v1{N}deployments", 0, (4, 0, 1, 2, 7)),
    Sort("StatefulSet", f"/apis/apps/v1{N}statefulsets", 0, (3, 0, 2)),
    Sort("RayCluster", f"/apis/ray.io/v1{N}rayclusters", True, (None, True, False)),
    Sort(
        "InferenceService",
        f"/apis/serving.kserve.io/v1beta1{N}inferenceservices",
        "true",
        (None, "true", "false"),
    ),
    Sort("Deployment", f"/apis/apps/v1{N}deployments", 0, (1, 0, 5)),
)
MEMORY = ("replicas", "previous", "asleep-since", "asleep-by", "wake-at", "slept-to")


@dataclass
class Expected:
    """What one workload has to be like in the morning."""

    sort: Sort
    name: str
    truth: Any
    exists: bool = True
    production: bool = False
    unknowable: bool = False
    """Both copies of the memory were destroyed while it slept."""
    stripped: bool = False
    lost: str = ""
    """When the sleep began whose copy was lost with the database."""

    @property
    def path(self) -> str:
        return f"{self.sort.list_path}/{self.name}"


Plan = Sequence[tuple[str, int, str]]
"""Which call of a sort (read, write, ledger) goes wrong, counted from 1, and how."""


@dataclass
class History:
    """The world, the clock, and what people have done so far."""

    world: World
    directory: Path
    """Holds the databases, beside an empty one to begin with."""
    workloads: list[Expected]
    now: datetime = BEGIN
    plan: Plan = ()
    calls: dict[str, int] = field(default_factory=dict)
    database: int = 0
    ledger: Any = None
    sleeps: int = 0

    def fault(self, call: str) -> str:
        verb, _, path = call.partition(" ")
        sort = {"PATCH": "write", "ledger": "ledger"}.get(verb, "read")
        self.calls[sort] = self.calls.get(sort, 0) + 1
        for wanted, at, fault in self.plan:
            if (wanted, at) == (sort, self.calls[sort]):
                if fault != "person":
                    return fault
                self.meddle(path, at)
        return ""

    def open(self) -> Any:
        if self.ledger is None:
            path = self.directory / f"{self.database}.db"
            if not path.exists():
                shutil.copy(self.directory.parent / "empty.db", path)
            self.ledger = open_ledger(f"sqlite:///{path}")
        return FaultyLedger(self.ledger, self.fault)

    def close(self) -> None:
        if self.ledger is not None:
            self.ledger.close()
            self.ledger = None

    def site(self) -> Any:
        return site(self.world, self.open, AWAKE, lambda: self.now)

    def attempt(self, plan: Plan, act_: Any) -> None:
        """Runs something of ours with faults at the given calls; the process may end."""
        self.plan, self.calls = plan, {}
        self.world.fault = self.fault
        try:
            act_()
        except GpuThriftError:
            pass
        except Crash:
            self.close()
        self.plan = ()

    def tick(self, plan: Plan) -> None:
        self.attempt(plan, lambda: run_once(self.site(), self.now))

    def command(self, index: int, hours: int | None, up: bool, plan: Plan) -> None:
        one = self.workloads[index]
        until = self.now + timedelta(hours=hours) if hours else None
        order, decide = Order("alice", until), scale_up if up else scale_down

        def do() -> None:
            view = look(self.site(), self.now)
            targets = [
                target
                for target in view.fleet.targets.values()
                if (target.key.kind, target.key.name) == (one.sort.kind, one.name)
            ]

            def again(target: Any) -> Any:
                return decide(view.case(target), view.site.rules, order)

            todo = [decided for decided in map(again, targets) if acts(decided)]
            act(view, todo, Survey(), order.by, again)

        self.attempt(plan, do)

    # What people do.

    def read(self, one: Expected) -> dict[str, Any] | None:
        answer = self.world.serve("GET", one.path)
        return answer.body if answer.status == 200 else None

    def merge(self, one: Expected, patch: dict[str, Any]) -> None:
        self.world.serve("PATCH", one.path, patch, content_type=MERGE)

    def annotations(self, item: dict[str, Any]) -> dict[str, str]:
        return item["metadata"].get("annotations") or {}

    def scale(self, index: int, pick: int) -> None:
        one = self.workloads[index]
        item = self.read(one)
        if item is None:
            return
        setting = one.sort.others[pick % len(one.sort.others)]
        was = one.sort.setting(item)
        if one.sort.same(was, setting):
            return
        self.merge(one, one.sort.patch(setting))
        if one.sort.same(setting, one.sort.stop):
            told = self.annotations(item).get("gpu-thrift.io/replicas")
            told = told or self.annotations(item).get("gpu-thrift.io/previous")
            if told:
                # Back where sleep had put it, before anybody looked: asleep still.
                one.truth = remembered(told)
                return
            if one.stripped or self.is_pending(item):
                # It reads as our sleep or as theirs: this server does not keep who set a field.
                one.unknowable = True
                return
        one.truth, one.unknowable, one.stripped = setting, False, False

    def is_pending(self, item: dict[str, Any]) -> bool:
        """Whether the program began to put this to sleep and did not live to say that it did."""
        plan, self.plan = self.plan, ()
        ledger = ClusterLedger.of(self.open(), "c", read_identity(self.world))  # type: ignore[arg-type]
        state = ledger.tick_state(self.now)
        self.plan = plan
        return item["metadata"]["uid"] in {change.uid for change in state.unfinished}

    def strip_all(self) -> None:
        for index in range(len(self.workloads)):
            self.strip(index)

    def meddle(self, path: str, pick: int) -> None:
        """A person scales what is just being written to."""
        for index, one in enumerate(self.workloads):
            if path == one.path:
                self.scale(index, pick)

    def strip(self, index: int) -> None:
        one = self.workloads[index]
        item = self.read(one)
        if item is None or not any(f"gpu-thrift.io/{n}" in self.annotations(item) for n in MEMORY):
            return
        gone = dict.fromkeys(f"gpu-thrift.io/{name}" for name in MEMORY)
        self.merge(one, {"metadata": {"annotations": gone}})
        one.stripped = True
        since = self.annotations(item).get("gpu-thrift.io/asleep-since")
        one.unknowable = one.unknowable or one.lost == since

    def lose(self) -> None:
        """The database is replaced by an empty one."""
        self.close()
        self.database += 1
        for one in self.workloads:
            item = self.read(one)
            if item is None:
                continue
            one.unknowable = one.unknowable or one.stripped
            one.lost = self.annotations(item).get("gpu-thrift.io/asleep-since", one.lost)

    def recreate(self, index: int, pick: int) -> None:
        one = self.workloads[index]
        self.world.serve("DELETE", one.path)
        setting = one.sort.others[pick % len(one.sort.others)]
        self.world.serve("POST", one.sort.list_path, one.sort.manifest(one.name, setting))
        one.truth, one.exists = setting, True
        one.production = one.unknowable = one.stripped = False

    def label(self, index: int, environment: str | None) -> None:
        one = self.workloads[index]
        self.merge(one, {"metadata": {"labels": {"environment": environment}}})
        one.production = environment != "development"

    def annotate(self, index: int, name: str, text: str | None) -> None:
        one = self.workloads[index]
        self.merge(one, {"metadata": {"annotations": {f"gpu-thrift.io/{name}": text}}})


def remembered(text: str) -> Any:
    return {"unset": None, "true": True}.get(text, int(text) if text.isdecimal() else _word(text))


def _word(text: str) -> Any:
    return False if text == "false" else text
