"""What to add where a GitOps tool applies a workload, so that it leaves the setting alone."""

from __future__ import annotations

from collections.abc import Sequence

from analyzer.model import WorkloadKey
from analyzer.sleep.model import Owner

REVERTERS = {
    "Argo CD": frozenset({"argocd-controller", "argocd-application-controller"}),
    "Flux": frozenset({"kustomize-controller", "helm-controller"}),
}
"""What the tools call themselves where the API server keeps who set a field."""


def is_reverter(owner: Owner, client: str) -> bool:
    """Whether ``client`` is the tool that applies a workload; where the server does not say who
    set a field, a change back to what is in Git is taken for the tool's."""
    return not client or client in REVERTERS[owner.tool]


def ignore_rule(owner: Owner, key: WorkloadKey, group: str, path: Sequence[str]) -> list[str]:
    """The lines of YAML, and where they belong. ``path`` leads to the setting in the object.

    https://argo-cd.readthedocs.io/en/stable/user-guide/diffing/
    https://fluxcd.io/flux/components/helm/helmreleases/#drift-detection
    https://fluxcd.io/flux/components/kustomize/kustomizations/#patches
    """
    pointer = "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in path)
    if owner.tool == "Argo CD":
        return [
            f"in Application {owner.name}:",
            "spec:",
            "  ignoreDifferences:",
            *(
                [f"  - group: {group}", f"    kind: {key.kind}"]
                if group
                else [f"  - kind: {key.kind}"]
            ),
            f"    namespace: {key.namespace}",
            f"    name: {key.name}",
            "    jsonPointers:",
            f"    - {pointer}",
            "  syncPolicy:",
            "    syncOptions:",
            "    - RespectIgnoreDifferences=true",
        ]
    if owner.name.startswith("HelmRelease"):
        return [
            f"in {owner.name}:",
            "spec:",
            "  driftDetection:",
            "    ignore:",
            f'    - paths: ["{pointer}"]',
            "      target:",
            f"        kind: {key.kind}",
            f"        name: {key.name}",
        ]
    return [
        f"in {owner.name}, if {pointer} is in Git (else nothing is needed):",
        "spec:",
        "  patches:",
        "  - target:",
        f"      kind: {key.kind}",
        f"      name: {key.name}",
        f"      namespace: {key.namespace}",
        "    patch: |",
        "      - op: remove",
        f"        path: {pointer}",
    ]
