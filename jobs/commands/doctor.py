"""``gpu-thrift doctor``: what can be reached, what is found or missing, and what a lack costs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal, cast

import click
from rich.console import Console
from rich.text import Text

from analyzer.collect.cluster import connect
from analyzer.collect.devices import read_devices
from analyzer.collect.kubestate import GPU_RESOURCES, REQUESTS
from analyzer.collect.profiles import EXPORTERS
from analyzer.collect.servers import SERVERS
from analyzer.collect.store import Matcher, MetricStore, Query
from analyzer.config import ClusterConfig
from analyzer.errors import ConfigError, SourceError
from analyzer.model import Window
from jobs.commands import doctor_slack, doctor_sleep
from jobs.commands.options import asked, cluster_options, console
from jobs.context import App
from jobs.sites import sites
from jobs.wiring import Choice, chosen_clusters, open_store
from reports.text import visible

State = Literal["ok", "missing", "failed"]
_SIGNS = {"ok": ("ok", "green"), "missing": ("--", "yellow"), "failed": ("!!", "red")}

_STATE_METRICS = (
    (REQUESTS, "who requests GPUs and since when is unknown: GPU-hours come from pod labels"),
    ("kube_pod_owner", "pods cannot be joined to their deployments without the Kubernetes API"),
    ("kube_replicaset_owner", "pods cannot be joined to their deployments once they are gone"),
    ("kube_pod_labels", "environments and teams are told from names, or from the Kubernetes API"),
    ("kube_deployment_labels", "environments and teams are told from pods' labels and names"),
    ("kube_node_labels", "spot, instance types and pools are unknown without the Kubernetes API"),
    ("kube_node_status_allocatable", "unallocated GPUs are counted from exporters alone"),
    ("kube_pod_status_phase", "finished Jobs count as holding their GPUs until they are deleted"),
)


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the examination."""

    state: State
    what: str
    detail: str = ""
    more: tuple[str, ...] = ()

    @property
    def details(self) -> tuple[str, ...]:
        return (self.detail, *self.more) if self.detail else self.more


@click.command("doctor")
@cluster_options
@click.pass_obj
def command(app: App, /, **given: Any) -> int:
    """Reach each endpoint; list the metrics and permissions found or missing, and what each lack
    costs in accuracy. Exits 1 when a Prometheus cannot be read."""
    wanted = asked(given)
    window = Window.ending(app.now, wanted.window or timedelta(hours=1))
    out = console()
    broken = False
    for cluster in chosen_clusters(app.config, wanted.choice):
        checks = [*_prometheus(cluster, window), *_kubernetes(cluster)]
        checks += _sleep(app, wanted.choice, cluster)
        _print(out, f"Cluster {cluster.name}", checks)
        broken = broken or any(c.state == "failed" and "Prometheus" in c.what for c in checks)
    _print(out, "Messages", _checks(doctor_slack.examine(app.config.slack)))
    return 1 if broken else 0


def _print(out: Console, title: str, checks: Iterable[Check]) -> None:
    out.print(Text(visible(title), style="bold"))
    for check in checks:
        sign, colour = _SIGNS[check.state]
        line = Text(f"  {sign} ", style=colour)
        line.append(visible(check.what), style="default")
        out.print(line)
        for detail in check.details:
            out.print(Text(f"       {visible(detail)}", style="dim"))


def _prometheus(cluster: ClusterConfig, window: Window) -> list[Check]:
    url = cluster.prometheus.url
    try:
        store = open_store(cluster)
        try:
            names = store.names(window)
            checks = [Check("ok", f"Prometheus {url}")]
            checks += [*_exporters(store, names, window, cluster.name)]
            checks += [*_servers(names), *_state(store, names, window)]
            checks += [Check("missing", w.message) for w in store.warnings()]
        finally:
            store.close()
    except SourceError as error:
        return [Check("failed", f"Prometheus {url}", str(error))]
    return checks


def _exporters(
    store: MetricStore, names: frozenset[str], window: Window, cluster: str
) -> Iterable[Check]:
    found = False
    for exporter in EXPORTERS:
        metrics = sorted({m.name for m in exporter.metrics if m.name in names})
        if metrics:
            found = True
            yield Check(
                "ok", f"GPU metrics: {exporter.name} ({', '.join(metrics)})", exporter.lacking
            )
    if not found:
        known = ", ".join(exporter.name for exporter in EXPORTERS)
        yield Check("missing", f"GPU metrics: none of {known}", "every verdict is unknown")
        return
    devices, notices = read_devices(store, names, window, cluster)
    gpus = len({(device.uuid, device.mig_id) for device in devices})
    named = sum(bool(device.pods) for device in devices)
    yield Check("ok" if gpus else "missing", f"GPUs seen: {gpus}; series that name a pod: {named}")
    for notice in notices:
        yield Check("missing", notice.message)


def _servers(names: frozenset[str]) -> Iterable[Check]:
    for server in SERVERS:
        wanted = {
            "running requests": server.running,
            "waiting requests": server.waiting,
            "KV cache": server.kv_cache,
            **server.totals,
            "time to first token": server.ttft,
            "time between tokens": server.itl,
        }
        lacking = [what for what, metrics in wanted.items() if not _any(metrics, names)]
        if len(lacking) == len(wanted):
            lost = "queues and KV cache cannot overrule a low mean" if server is SERVERS[0] else ""
            yield Check("missing", f"Inference metrics: {server.name} not found", lost)
        elif lacking:
            yield Check("missing", f"Inference metrics: {server.name} lacks {', '.join(lacking)}")
        else:
            yield Check("ok", f"Inference metrics: {server.name}")


def _any(metrics: Iterable[str], names: frozenset[str]) -> bool:
    return any(name in names or name.replace(":", "_", 1) in names for name in metrics)


def _state(store: MetricStore, names: frozenset[str], window: Window) -> Iterable[Check]:
    for metric, lost in _STATE_METRICS:
        if metric in names:
            yield Check("ok", f"kube-state-metrics: {metric}")
        else:
            yield Check("missing", f"kube-state-metrics: {metric} not found", lost)
    if REQUESTS in names:
        where = (Matcher("resource", GPU_RESOURCES, "=~"),)
        pods = store.whole(Query(REQUESTS, "last", ("namespace", "pod"), "max", where), window)
        if not pods:
            yield Check(
                "missing", "kube-state-metrics: no pod requests a GPU", "nothing to analyse"
            )


def _kubernetes(cluster: ClusterConfig) -> list[Check]:
    kubernetes = cluster.kubernetes
    if not kubernetes.enabled:
        return [Check("missing", "Kubernetes API: not used", "kube-state-metrics has to tell all")]
    try:
        client = connect(
            kubernetes.kubeconfig, kubernetes.context, kubernetes.timeout.total_seconds()
        )
        checks = [Check("ok", f"Kubernetes API {client.version()}")]
        for permission in client.permissions():
            state: State = "ok" if permission.allowed else "missing"
            may = "may" if permission.allowed else "may not"
            checks.append(Check(state, f"{may} {permission.verb} {permission.resource}"))
    except (SourceError, ConfigError) as error:
        return [Check("failed", "Kubernetes API", str(error))]
    return checks


def _sleep(app: App, choice: Choice, cluster: ClusterConfig) -> list[Check]:
    """What the sleep job would meet; nothing where there is no Kubernetes API to use."""
    if not cluster.kubernetes.enabled:
        return []
    [site] = sites(app.config, replace(choice, clusters=(cluster.name,)))
    view, error = doctor_sleep.read(site, app.now)
    return _checks(doctor_sleep.examine(site, view, error))


def _checks(found: Iterable[doctor_sleep.Finding]) -> list[Check]:
    return [Check(cast(State, one.state), one.what, more=tuple(one.lines)) for one in found]
