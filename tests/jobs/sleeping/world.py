"""A cluster in memory with real API semantics, where any call may fail, and its ledger with it.

The stand-in's own router answers, without sockets: a thousand histories have to run in a minute.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from analyzer.collect.cluster.api import Conflict, Expired, Forbidden, NotFound
from analyzer.collect.cluster.api import Request as Asked
from analyzer.collect.pools import NodeClasses
from analyzer.config import EnvironmentConfig, SleepConfig
from analyzer.errors import BadAnswer, SourceError, Unreachable
from analyzer.pricing import PriceBook
from analyzer.sleep.annotations import Defaults
from analyzer.sleep.case import Rules
from jobs.kinds import kinds
from jobs.ledger.errors import LedgerError
from jobs.sleeping.view import Site
from tests.fakes.kube import Kind, KubeStandIn, Reply
from tests.fakes.kube import Request as Served

CUSTOM = (
    Kind("ray.io", "v1", "rayclusters", "RayCluster"),
    Kind("serving.kserve.io", "v1beta1", "inferenceservices", "InferenceService"),
    Kind("keda.sh", "v1alpha1", "scaledobjects", "ScaledObject"),
)


class Crash(BaseException):
    """The process ends here."""


Fault = Callable[[str], str]
"""Asked before each call, told what it is; answers what goes wrong: "", "crash", "500-before",
"500-after", "timeout-before", "timeout-after", "conflict", "crash-after"."""


@dataclass
class World:
    """The cluster, its ledger, and who wrote to what."""

    standin: KubeStandIn
    fault: Fault = lambda _: ""
    writes: list[tuple[str, dict[str, Any] | None]] = field(default_factory=list)
    """Each write that the program sent and that was served: path, and the object before it."""

    name: str = "world"

    def serve(self, method: str, path: str, body: Any = None, **more: Any) -> Reply:
        headers = {"content-type": more.get("content_type", "application/json")}
        data = json.dumps(body).encode() if body is not None else b""
        answer = self.standin.serve(
            Served(method, path, dict(more.get("query", ())), headers, data)
        )
        assert isinstance(answer, Reply)
        return answer

    # What the program uses of KubeApi.

    def get(self, path: str) -> dict[str, Any]:
        return self.send(Asked(path))

    def read_list(
        self,
        path: str,
        keep: Callable[[dict[str, Any]], Any],
        metadata_only: bool = False,
        query: tuple[tuple[str, str], ...] = (),
    ) -> list[Any]:
        items = self.send(Asked(path, query=query))["items"]
        return [one for item in items if (one := keep(item)) is not None]

    def send(self, request: Asked) -> dict[str, Any]:
        fault = self.fault(f"{request.method} {request.path}")
        if fault == "crash":
            raise Crash
        if fault.endswith("-before"):
            raise _failure(fault)
        if fault == "conflict" and request.method == "PATCH":
            self._rival(request.path)
        before = None
        if request.method == "PATCH":
            found = self.serve("GET", request.path)
            before = json.loads(json.dumps(found.body)) if found.status == 200 else None
        answer = self.serve(
            request.method,
            request.path,
            request.body,
            query=request.query,
            content_type=request.content_type,
        )
        if request.method == "PATCH" and answer.status == 200:
            self.writes.append((request.path, before))
        if fault == "crash-after":
            raise Crash
        if fault.endswith("-after"):
            raise _failure(fault)
        return _checked(answer)

    def _rival(self, path: str) -> None:
        """Somebody else writes a status, so that the resourceVersion moves on."""
        status = {"status": {"observed": len(self.writes)}}
        self.serve("PATCH", f"{path}/status", status, content_type="application/merge-patch+json")


def _failure(fault: str) -> SourceError:
    return Unreachable("timed out") if "timeout" in fault else BadAnswer("answered 500")


def _checked(answer: Reply) -> dict[str, Any]:
    if answer.status < 300:
        # A copy, as the wire makes one.
        text = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body)
        return json.loads(text)  # type: ignore[no-any-return]
    kinds_ = {403: Forbidden, 404: NotFound, 409: Conflict, 410: Expired}
    raise kinds_.get(answer.status, BadAnswer)(f"answered {answer.status}")


class FaultyLedger:
    """A ledger whose every call may fail before or after it is written, or end the process."""

    def __init__(self, ledger: Any, fault: Fault) -> None:
        self._ledger, self._fault = ledger, fault

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._ledger, name)

        def call(*args: Any, **named: Any) -> Any:
            fault = self._fault(f"ledger {name}")
            if fault == "crash":
                raise Crash
            if fault.endswith("-before") or fault == "conflict":
                raise LedgerError("the ledger is away")
            result = method(*args, **named)
            if fault == "crash-after":
                raise Crash
            if fault.endswith("-after"):
                raise LedgerError("the ledger went away")
            return result

        return call


def site(world: World, ledger: Callable[[], Any], awake: str, now: Callable[[], datetime]) -> Site:
    """The sleep job's view of the world: one thread, no metrics, nothing else in the way."""
    return Site(
        name="c",
        api=world,  # type: ignore[arg-type]
        kinds=kinds(),
        config=SleepConfig(
            enabled=True, dry_run=False, when_metrics_missing="sleep", concurrency=1, rate=10_000
        ),
        rules=Rules(EnvironmentConfig(), frozenset({"development"}), Defaults(awake, "UTC")),
        prices=(NodeClasses(), PriceBook()),
        open_ledger=ledger,
        clock=now,
    )


@contextmanager
def cluster(objects: Sequence[tuple[str, dict[str, Any]]]) -> Iterator[World]:
    """A world with these objects, each with the path it is posted to."""
    standin = KubeStandIn()
    for kind in CUSTOM:
        standin.register(kind)
    world = World(standin)
    world.serve("POST", "/api/v1/namespaces", {"metadata": {"name": "ml"}})
    for path, manifest in objects:
        answer = world.serve("POST", path, manifest)
        assert answer.status == 201, answer
    yield world
    standin._server.server_close()
