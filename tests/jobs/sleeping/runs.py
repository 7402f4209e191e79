"""What tests of a run ask again and again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from jobs.sleeping.tick import Report
from tests.fakes.kube import KubeStandIn, Request
from tests.fakes.kubeapi.caller import Caller

NIGHT = datetime(2027, 1, 5, 21, 0, tzinfo=UTC)
MORNING = NIGHT + timedelta(hours=12)


def standin(api: Caller) -> KubeStandIn:
    assert api.standin is not None
    return api.standin


def outcomes(report: Report) -> Counter[str]:
    return Counter(one.outcome for one in report.results)


def once_each(answer: Callable[[], Any], method: str = "PATCH") -> Callable[[Request], Any]:
    """A fault for the first request of each path."""
    seen: set[str] = set()

    def fault(request: Request) -> Any:
        if request.method != method or request.path in seen:
            return None
        seen.add(request.path)
        return answer()

    return fault
