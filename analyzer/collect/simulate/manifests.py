"""Parts that the demo's manifests have in common."""

from __future__ import annotations

from typing import Any

TOLERATIONS = ({"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},)
"""Of pods that may run on nodes with GPUs."""


def pod_manifest(namespace: str, name: str, owner: dict[str, Any], node: str) -> dict[str, Any]:
    """A pod that runs on ``node``, without anything that it asks for."""
    return {
        "metadata": {"namespace": namespace, "name": name, "ownerReferences": [owner]},
        "spec": {"nodeName": node, "containers": [], "tolerations": TOLERATIONS},
        "status": {"phase": "Running"},
    }


def controlled_by(api_version: str, kind: str, name: str) -> dict[str, Any]:
    """A reference to the controller of an object."""
    return {"apiVersion": api_version, "kind": kind, "name": name, "controller": True}


def amounts(cpus: float, memory_gib: float) -> dict[str, str]:
    """CPU to the tenth of a core and memory to the MiB, as in a manifest."""
    return {"cpu": f"{int(cpus * 10) * 100}m", "memory": f"{int(memory_gib * 1024)}Mi"}
