"""Small models that could live on one GPU: their peaks do not coincide, their memory fits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np

from analyzer.advice import Fact, Recommendation, Refusal, Saving
from analyzer.config.sizing import ShareGpuConfig
from analyzer.model import WorkloadKey
from analyzer.sizing import confidence
from analyzer.sizing.case import STEP_H, WEEK_H, Case
from analyzer.sizing.consolidate import Device, Group, cut, groups, sliced
from analyzer.sizing.memory import SHARE
from analyzer.sizing.mig import CUTS
from analyzer.sizing.money import per_month
from analyzer.sizing.tenants import HEADROOM, Tenant, tenant_of

ACTION: Final = "share-gpu"

Answers = dict[WorkloadKey, Recommendation | Refusal]


def share_gpu(cases: Sequence[Case], config: ShareGpuConfig) -> Answers:
    """An answer for every case. Only workloads of the same cluster, environment and GPU model
    share, and only on-demand with on-demand."""
    answers: Answers = {}
    alike: dict[tuple[object, ...], list[Tenant]] = defaultdict(list)
    for case in sorted(cases, key=lambda c: c.key):
        tenant = tenant_of(case, config)
        if isinstance(tenant, Refusal):
            answers[case.key] = tenant
            continue
        environment, spot = case.figures.environment, case.node_class.spot
        alike[case.key.cluster, environment, tenant.gpu.name, spot, case.window].append(tenant)
    for tenants in alike.values():
        answers |= _shared(tenants, config)
    return answers


def _shared(tenants: list[Tenant], config: ShareGpuConfig) -> Answers:
    """MIG first; who finds no partner there, or fits no part, shares in time slices."""
    answers: Answers = {}
    made = groups(cut([t for t in tenants if t.profile], config.most), mig=True)
    placed = {id(t) for group in made for t in group.tenants}
    rest = [t for t in tenants if id(t) not in placed and t.sliced]
    made += groups(sliced(rest, config.peak, config.most), mig=False)
    for group in made:
        answers |= _answers(group, config)
    for tenant in tenants:
        answers.setdefault(tenant.case.key, _alone(tenant, config))
    return answers


def _alone(tenant: Tenant, config: ShareGpuConfig) -> Refusal:
    reason = (
        f"no other model fits beside it on a {tenant.gpu.name}: it needs {tenant.memory_gib:.1f} "
        f"GiB of {tenant.gpu.memory_gib * SHARE:.1f}, and its GPU work reaches {tenant.peak:.0%} "
        f"of {config.peak:.0%} allowed together"
    )
    return Refusal(ACTION, "no-partner", reason)


def _answers(group: Group, config: ShareGpuConfig) -> Answers:
    freed, steps = group.freed_steps()
    hours = float(freed.sum()) * STEP_H * WEEK_H / (steps * STEP_H) if steps else 0.0
    if not hours > 0:
        reason = "those that would fit beside it hold no GPU while it does: none is freed"
        return {t.case.key: Refusal(ACTION, "nothing-freed", reason) for t in group.tenants}
    # As much as each holds of it, so that nobody is said to free more than it has.
    parts = group.parts()
    return {
        t.case.key: _recommended(t, group, hours * part, config)
        for t, part in zip(group.tenants, parts, strict=True)
    }


def _recommended(
    tenant: Tenant, group: Group, freed: float, config: ShareGpuConfig
) -> Recommendation:
    mine = [device for device in group.devices if any(t is tenant for t in device)]
    partners = {t.case.key: t for device in mine for t in device if t is not tenant}
    names = ", ".join(key.name for key in sorted(partners))
    worst = max(mine, key=_together)
    limit = config.peak
    part, how = f"1/{max(len(device) for device in mine)}", "time-slicing"
    if group.mig and tenant.profile is not None:
        part, how = tenant.profile.name, "MIG"
        limit = tenant.profile.slices / CUTS[tenant.gpu.name].slices
    peak = tenant.peak if group.mig else _together(worst)
    return Recommendation(
        action=ACTION,
        before=tenant.gpu.name,
        after=f"{part} of {tenant.gpu.name} ({how}, with {names})",
        reason=_reason(tenant, group, worst),
        saving=Saving(freed, per_month(freed, tenant.case.usd_per_gpu_hour)),
        confidence=confidence.combined(_doubts(tenant.case, peak, limit, group.mig)),
        evidence=_evidence(tenant, mine, worst, group)
        | {
            "with": ", ".join(f"{key.namespace}/{key.name}" for key in sorted(partners)),
            "method": how,
            "group": ", ".join(
                sorted(f"{t.case.key.namespace}/{t.case.key.name}" for t in group.tenants)
            ),
            "gpu_work_limit": round(limit, 4),
        },
    )


def _together(device: Device) -> float:
    """The highest GPU work of all tenants of a device in one step (0-1)."""
    return float(np.sum([t.work for t in device], axis=0).max())


def _kv_together(device: Device) -> float:
    return float(np.sum([t.kv_gib for t in device], axis=0).max())


def _reason(tenant: Tenant, group: Group, worst: Device) -> str:
    memory = sum(t.memory_gib for t in worst)
    after = len(group.devices)
    gpus = f"{after} GPU{'' if after == 1 else 's'}"
    said = (
        f"{group.gpus_before} replicas of {len(group.tenants)} models need {gpus}: together they "
        f"never did more than {_together(worst):.0%} of one GPU's work (each one's highest add up "
        f"to {sum(t.peak for t in worst):.0%}), and they need {memory:.1f} GiB of its memory"
    )
    if tenant.replicas > 1:
        said += "; its replicas have to stay on different GPUs"
    if not group.mig:
        said += "; time slices keep nobody from using up the memory or time of another"
    return said


def _doubts(case: Case, peak: float, limit: float, isolated: bool) -> list[confidence.Reason]:
    serving = case.figures.serving
    return [
        confidence.of_coverage(case, serving.coverage if serving else None),
        confidence.of_history(case),
        confidence.of_sharing(peak, limit, isolated),
    ]


def _evidence(
    tenant: Tenant, mine: Sequence[Device], worst: Device, group: Group
) -> dict[str, Fact]:
    budget = tenant.gpu.memory_gib * SHARE
    if group.mig and tenant.profile is not None:
        budget = tenant.profile.budget_gib
    return {
        "coverage": round(tenant.case.figures.coverage or 0.0, 4),
        "history_hours": round(tenant.case.span_h, 2),
        "gpu_work_together": round(_together(worst), 4),
        "gpu_work_of_peaks": round(sum(t.peak for t in worst), 4),
        "gpu_work_peak": round(tenant.peak, 4),
        "memory_gib": round(tenant.memory_gib, 2),
        "memory_together_gib": round(max(sum(t.memory_gib for t in d) for d in mine), 2),
        "memory_limit_gib": round(budget, 2),
        "kv_together_gib": round(max(_kv_together(d) for d in mine), 2),
        "kv_of_peaks_gib": round(max(sum(float(t.kv_gib.max()) for t in d) for d in mine), 2),
        "kv_headroom": HEADROOM,
        "models": len(group.tenants),
        "gpus_before": group.gpus_before,
        "gpus_after": len(group.devices),
    }
