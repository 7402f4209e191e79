"""Any custom resource with a /scale subresource, as the configuration describes it."""

from __future__ import annotations

from analyzer.collect.cluster.quantities import Manifest
from analyzer.collect.cluster.resources import Resource
from analyzer.config import CustomKindConfig
from jobs.kinds.kind import Kind, one_template, replicas_ready


def custom_kind(config: CustomKindConfig) -> Kind:
    """The kind that ``[[sleep.kinds]]`` declares. The object itself is patched, not its /scale,
    which could not carry the replica memory along."""
    path = tuple(config.replicas_path.split("."))
    ready = tuple(config.ready_path.split(".")) if config.ready_path else ()
    template = tuple(config.template_path.split(".")) if config.template_path else ("",)

    def unknown(_: Manifest) -> bool | None:
        return None

    return Kind(
        resource=Resource(config.api_version, config.plural, config.kind),
        path=path,
        stop=0,
        default=1,
        groups=one_template(*template),
        is_ready=replicas_ready(ready, path) if ready else unknown,
    )
