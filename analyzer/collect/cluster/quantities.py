"""Quantities of resources in manifests, and what the scheduler sets aside for a pod."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

Manifest = Mapping[str, Any]

_GPU_RESOURCES = frozenset({"nvidia.com/gpu", "nvidia.com/gpu.shared", "amd.com/gpu"})
_MIG_PREFIX = "nvidia.com/mig-"

_DECIMAL = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_LARGE = {"P": 1e15, "E": 1e18}
_BINARY = {f"{sign}i": 2.0 ** (10 * at) for at, sign in enumerate("KMGTPE", 1)}
_SUFFIXES = _DECIMAL | _LARGE | _BINARY
_QUANTITY = re.compile(
    r"(?P<number>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))"
    r"(?:(?P<exponent>[eE][+-]?[0-9]+)|(?P<suffix>[KMGTPE]i|[numkMGTPE]?))"
)

_OF_THE_POD = ("cpu", "memory", "hugepages-")
"""Resources that may be asked for by a pod as a whole."""


def is_gpu(resource: str) -> bool:
    """Whether a resource name of a manifest is a GPU, a MIG instance or a share of one."""
    return resource in _GPU_RESOURCES or resource.startswith(_MIG_PREFIX)


def quantity(value: object) -> float:
    """A Kubernetes quantity as a number; 0 when it is none. A server writes 1000 as ``1k``."""
    return _parsed(str(value))


@lru_cache(4096)
def _parsed(text: str) -> float:
    """Kept: pods ask for the same few amounts over and over."""
    found = _QUANTITY.fullmatch(text)
    if not found:
        return 0.0
    # Divided rather than multiplied by a thousandth: 1,900m is then 1.9 and not a little less.
    factor = _SUFFIXES[found["suffix"] or ""]
    number = float(found["number"] + (found["exponent"] or ""))
    parsed = number * factor if factor >= 1 else number / round(1 / factor)
    return parsed if math.isfinite(parsed) else 0.0


def quantities(
    resources: Manifest | None, wanted: Callable[[str], bool] = bool
) -> dict[str, float]:
    """The wanted resources (all that have a name) of a resource list and how much, without the
    zeros."""
    amounts = {name: quantity(value) for name, value in (resources or {}).items() if wanted(name)}
    return {name: amount for name, amount in amounts.items() if amount > 0}


def gpu_request(pod_spec: Manifest) -> dict[str, float]:
    """GPUs that the scheduler sets aside for a pod, by resource name."""
    return _set_aside(pod_spec, is_gpu)


def pod_request(pod_spec: Manifest) -> dict[str, float]:
    """Everything that the scheduler sets aside for a pod, its place among the node's ``pods``
    included: cpu in cores, memory in bytes, others as they are counted."""
    total = _set_aside(pod_spec)
    whole = pod_spec.get("resources") or {}
    # What a pod asks for as a whole stands in place of what its containers ask for.
    total |= _asked(whole, lambda name: name.startswith(_OF_THE_POD))
    overhead = quantities(pod_spec.get("overhead"))
    return _sum((total, overhead, {"pods": 1.0}))


def _set_aside(pod_spec: Manifest, wanted: Callable[[str], bool] = bool) -> dict[str, float]:
    """Containers run together, with the sidecars (init containers that restart always) started
    before them; each other init container runs alone beside the sidecars started so far. The
    pod holds the largest of these.
    https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers
    """
    sidecars: dict[str, float] = {}
    peak: dict[str, float] = {}
    for container in pod_spec.get("initContainers") or ():
        use = _sum((sidecars, _container(container, wanted)))
        if container.get("restartPolicy") == "Always":
            sidecars = use
        peak = _highest(peak, use)
    together = [_container(container, wanted) for container in pod_spec.get("containers") or ()]
    return _highest(peak, _sum((sidecars, *together)))


def _container(container: Manifest, wanted: Callable[[str], bool]) -> dict[str, float]:
    return _asked(container.get("resources") or {}, wanted)


def _asked(resources: Manifest, wanted: Callable[[str], bool]) -> dict[str, float]:
    """A request that is left out equals the limit; one of zero is none."""
    asked = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return quantities(asked, wanted)


def _sum(parts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for part in parts:
        for name, count in part.items():
            total[name] = total.get(name, 0.0) + count
    return total


def _highest(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    return {name: max(one.get(name, 0.0), other.get(name, 0.0)) for name in {**one, **other}}
