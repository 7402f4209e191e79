"""Nobody asked anything of it."""

from __future__ import annotations

from typing import Final

from analyzer.advice import Fact, Recommendation, Refusal, Saving
from analyzer.sizing import confidence
from analyzer.sizing.case import Case
from analyzer.sizing.money import per_month
from analyzer.sizing.quiet import asked

ACTION: Final = "remove"


def remove(case: Case) -> Recommendation | Refusal:
    """All of it, in any environment: whether it is a standby, only a person knows."""
    lacking = case.missing(ACTION) or _not_idle(case) or _no_replicas(case) or _asked(case)
    if lacking:
        return lacking
    freed = case.gpu_hours_per_week
    return Recommendation(
        action=ACTION,
        before=case.replicas or 0,
        after=0,
        reason=_reason(case),
        saving=Saving(freed, per_month(freed, case.usd_per_gpu_hour)),
        confidence=confidence.combined(
            (
                confidence.of_coverage(case, _serving_coverage(case)),
                confidence.of_history(case),
                confidence.of_idleness(case),
            )
        ),
        evidence=_evidence(case),
    )


def _not_idle(case: Case) -> Refusal | None:
    verdict = case.figures.verdict
    if verdict.name == "idle":
        return None
    code = "unknown" if verdict.name == "unknown" else "in-use"
    return Refusal(ACTION, code, f"it is {verdict.name}: {verdict.reason}")


def _no_replicas(case: Case) -> Refusal | None:
    if case.replicas is None:
        return Refusal(ACTION, "no-replicas", "nothing tells how many replicas it has")
    if case.replicas <= 0:
        reason = "it has 0 replicas: it is asleep, or it was taken down already"
        return Refusal(ACTION, "asleep", reason)
    return None


def _asked(case: Case) -> Refusal | None:
    serving = case.serving
    if serving is None:
        return None
    totals = {
        "requests": serving.requests,
        "prompt tokens": serving.prompt_tokens,
        "generated tokens": serving.generation_tokens,
    }
    for what, count in totals.items():
        if count is not None and count > 0:
            return Refusal(ACTION, "in-use", f"its server counted {count:,.0f} {what}")
    steps = int(asked(serving).sum())
    if steps:
        reason = f"its server told of requests or tokens in {steps:,} steps of five minutes"
        return Refusal(ACTION, "in-use", reason)
    coverage = _serving_coverage(case)
    if coverage is None or not coverage >= case.floor.coverage:
        reason = (
            f"inference metrics cover {coverage or 0.0:.1%} of its time, "
            f"at least {case.floor.coverage:.0%} needed"
        )
        return Refusal(ACTION, "low-serving-coverage", reason)
    return None


def _serving_coverage(case: Case) -> float | None:
    return case.figures.serving.coverage if case.figures.serving else None


def _reason(case: Case) -> str:
    server = "no inference server tells of requests"
    if case.serving is not None:
        server = "its server told of no request"
    said = f"{case.figures.verdict.reason}; {server} in {case.span_h:,.0f} h"
    if case.figures.environment in ("production", "unknown"):
        said += "; a standby looks the same, so ask its owners"
    return said


def _evidence(case: Case) -> dict[str, Fact]:
    use, coverage = case.figures.utilisation, _serving_coverage(case)
    return {
        "coverage": round(case.figures.coverage or 0.0, 4),
        "serving_coverage": None if coverage is None else round(coverage, 4),
        "history_hours": round(case.span_h, 2),
        "gpu_hours": round(case.figures.gpu_hours, 2),
        "mean_use": round(use.mean, 4) if use else None,
        "highest_use": round(use.max, 4) if use else None,
        "requests": case.serving.requests if case.serving else None,
        "environment": case.figures.environment,
    }
