"""What a model needs of a GPU that it would share: memory, and GPU work step by step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from analyzer.advice import Refusal
from analyzer.config.sizing import ShareGpuConfig
from analyzer.model import Serving, StepArray
from analyzer.pricing import Gpu, find_gpu
from analyzer.sizing.case import STEP_H, Case
from analyzer.sizing.demand import Mask, on_present_model
from analyzer.sizing.memory import BYTES, GIB, fit
from analyzer.sizing.mig import CUTS, Profile
from analyzer.sizing.models import Known, Unknown
from analyzer.sizing.quiet import allocated, busy, span

ACTION: Final = "share-gpu"

HEADROOM = 1.2
"""Tokens that are kept room for, as a multiple of the most seen at once."""

_MOST_REPLICAS = 1000
"""Whoever fills as many GPUs is no small model; each replica is put on a GPU one by one."""

_UNSLICED = frozenset({"MI300X"})
"""GPUs whose device plugin knows no time-slicing."""


@dataclass(frozen=True, eq=False, slots=True)
class Tenant:
    """One workload as each of its replicas would live on a shared GPU.

    ``memory_gib`` is what it needs at most; ``work`` (0-1 of the GPU), ``kv_gib`` and ``held``
    (0-1, the part of its replicas that was there) have one element a step, with its own highest
    value in ``work`` and ``kv_gib`` where nothing was measured. ``profile`` is the MIG part that
    would do, ``sliced`` whether it may share a GPU in time slices.
    """

    case: Case
    gpu: Gpu
    replicas: int
    memory_gib: float
    work: StepArray
    kv_gib: StepArray
    held: StepArray
    span: tuple[int, int]
    profile: Profile | None
    sliced: bool

    @property
    def peak(self) -> float:
        return float(self.work.max())


def tenant_of(case: Case, config: ShareGpuConfig) -> Tenant | Refusal:
    """The workload as a tenant, or why it cannot be one."""
    lacking = case.missing(ACTION) or _unfit(case)
    if lacking:
        return lacking
    gpu = find_gpu(case.node_class.gpu_model)
    if gpu is None:
        return Refusal(ACTION, "gpu-unknown", "its GPU is not in the catalogue")
    if isinstance(case.model, Unknown):
        return Refusal(ACTION, "model-unknown", case.model.reason)
    present = on_present_model(list(case.use))
    work = _work(case, present)
    if isinstance(work, Refusal):
        return work
    memory = _memory(case, case.model, gpu, present)
    if isinstance(memory, Refusal):
        return memory
    replicas = case.replicas or 1
    held = np.clip(allocated(case.use) / replicas, 0.0, 1.0).astype(np.float32)
    cut, peak = CUTS.get(gpu.name), float(work.max())
    return _placeable(
        Tenant(
            case=case,
            gpu=gpu,
            replicas=replicas,
            memory_gib=memory[0],
            work=work,
            kv_gib=memory[1],
            held=held,
            span=span(case.use),
            profile=cut.smallest(memory[0], peak) if cut else None,
            # A time slice keeps nobody from another's memory or time.
            sliced=case.figures.environment in ("development", "staging")
            and gpu.name not in _UNSLICED
            and peak <= config.peak,
        )
    )


def _unfit(case: Case) -> Refusal | None:
    figures = case.figures
    if figures.workload.shared:
        return Refusal(ACTION, "shared-already", "it shares its GPU already")
    if abs(case.per_replica - 1) > 1e-6:
        reason = f"a replica has {case.per_replica:g} GPUs; only those with one share it"
        return Refusal(ACTION, "not-one-gpu", reason)
    if case.replicas is None or case.replicas < 1:
        reason = "it has no replica now" if case.replicas == 0 else "its replicas are not known"
        return Refusal(ACTION, "no-replicas", reason)
    if case.replicas > _MOST_REPLICAS:
        reason = f"it has {case.replicas:,} replicas; at most {_MOST_REPLICAS:,} are put together"
        return Refusal(ACTION, "too-many-replicas", reason)
    if figures.verdict.name in ("saturated", "unknown"):
        reason = f"it is {figures.verdict.name}: {figures.verdict.reason}"
        return Refusal(ACTION, figures.verdict.name, reason)
    return None


def _placeable(tenant: Tenant) -> Tenant | Refusal:
    if tenant.profile or tenant.sliced:
        return tenant
    needs = f"{tenant.memory_gib:.1f} GiB and {tenant.peak:.0%} of the GPU's work"
    name, environment = tenant.gpu.name, tenant.case.figures.environment
    if environment not in ("development", "staging"):
        reason = (
            f"its environment is {environment}, where only MIG keeps models apart; "
            f"no part of {name} holds {needs}"
        )
        return Refusal(ACTION, "no-mig-part", reason)
    return Refusal(ACTION, "too-large", f"it needs {needs}: too much of {name} to share it")


def _work(case: Case, present: Mask) -> StepArray | Refusal:
    """GPU work of the most loaded replica. While it is not there it does nothing; what is not
    measured, or was before its first step or on another GPU, counts as its highest."""
    steps = np.flatnonzero(present)
    hours = (int(steps[-1] - steps[0]) + 1) * STEP_H if steps.size else 0.0
    needed = case.floor.history.total_seconds() / 3600
    if not hours >= needed - min(1.0, 0.1 * needed):
        reason = f"only {hours:.1f} h on the GPU model it has now, at least {needed:g} h needed"
        return Refusal(ACTION, "short-history", reason)
    share = np.where(present, busy(case.use), np.nan)
    known = np.isfinite(share)
    coverage = float(known.sum()) / steps.size
    if not coverage >= case.floor.coverage:
        reason = (
            f"GPU work is known in {coverage:.1%} of its steps, "
            f"at least {case.floor.coverage:.0%} needed"
        )
        return Refusal(ACTION, "low-coverage", reason)
    lean = case.serving.lean if case.serving and (case.replicas or 1) > 1 else None
    if lean is not None and math.isfinite(lean) and lean > 1:
        share = np.minimum(share * lean, 1.0)
    return _filled(share, present)


def _memory(case: Case, model: Known, gpu: Gpu, present: Mask) -> tuple[float, StepArray] | Refusal:
    """GiB at most, and those of the KV cache in each step."""
    each = model.shape.kv_bytes_per_token(1, BYTES[model.setup.keys])
    if not each or model.longest is None:
        what = "the size of its keys" if not each else "its longest request"
        return Refusal(ACTION, "model-unknown", f"{what} is not known")
    serving = case.serving
    tokens = serving.cache.tokens if serving else None
    if serving is None or tokens is None or not math.isfinite(tokens) or tokens <= 0:
        reason = "its server does not tell how many tokens its KV cache holds"
        return Refusal(ACTION, "cache-unknown", reason)
    use = np.where(present, _fullest(serving), np.nan)
    coverage = float(np.isfinite(use).sum()) / max(1, int(present.sum()))
    if not coverage >= case.floor.coverage or not np.isfinite(use).any():
        reason = (
            f"KV-cache use is known in {coverage:.1%} of its time, "
            f"at least {case.floor.coverage:.0%} needed"
        )
        return Refusal(ACTION, "low-serving-coverage", reason)
    kept = max(model.longest, float(np.nanmax(use)) * tokens * HEADROOM)
    found = fit(model.shape, model.setup, gpu.memory_gib)
    memory = found.budget_gib - found.room_gib + kept * each / GIB
    return memory, _filled(use * tokens * each / GIB, present)


def _fullest(serving: Serving) -> npt.NDArray[np.float64]:
    """KV-cache use (0-1) of the fullest replica, the highest of each step that is told."""
    mean = serving.kv_cache.astype(np.float64)
    peak = mean if serving.kv_peak is None else np.fmax(serving.kv_peak.astype(np.float64), mean)
    return np.clip(peak, 0.0, 1.0)


def _filled(values: npt.NDArray[np.float64], present: Mask) -> StepArray:
    """Zero in steps between its first and its last on this GPU in which it held none."""
    steps = np.flatnonzero(present)
    absent = ~present
    absent[: steps[0]] = False
    absent[steps[-1] + 1 :] = False
    highest = float(np.nanmax(values))
    filled: StepArray = np.where(
        absent, 0.0, np.where(np.isfinite(values), values, highest)
    ).astype(np.float32)
    return filled
