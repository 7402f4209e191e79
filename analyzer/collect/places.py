"""Which node a device is on, and which pod is behind a scrape address.

Exporters name the node by host name, by the exporter's own pod or only by the address they were
scraped at, and a host name need not be the node's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from analyzer.collect.facts import DeviceReading, NodeFact
from analyzer.collect.kubestate import StateReadings

PodName = tuple[str, str]


def address(target: str) -> str:
    """The host of a scrape target such as ``10.0.0.7:9400`` or ``[fd00::7]:9400``."""
    if target.startswith("["):
        return target[1:].split("]", 1)[0]
    return target.rsplit(":", 1)[0] if target.count(":") == 1 else target


def device_nodes(
    devices: Iterable[DeviceReading],
    pod_nodes: Mapping[PodName, str],
    nodes: Mapping[str, NodeFact],
    state: StateReadings,
) -> dict[str, str]:
    """Each device's node by uuid. A label that is a node's name or address settles it, then
    a pod that holds the device and was on one node only (``pod_nodes``), then the exporter's own
    pod; at last the host label as it is."""
    devices = list(devices)
    by_address = {ip: name for name, fact in nodes.items() for ip in fact.addresses}
    by_address |= {ip: node for ip, (_, _, node) in state.addresses.items() if node}
    found: dict[str, str] = {}
    by_host: dict[str, str] = {}
    for device in devices:
        node = _by_label(device, nodes, by_address)
        node = node or next((pod_nodes[pod] for pod in device.pods if pod in pod_nodes), "")
        node = node or next((state.pod_nodes[p] for p in device.pods if p in state.pod_nodes), "")
        if node:
            found.setdefault(device.uuid, node)
            for host in device.hosts:
                by_host.setdefault(host, node)
    for device in devices:
        if device.uuid not in found:
            known = next((by_host[host] for host in device.hosts if host in by_host), "")
            found[device.uuid] = known or (device.hosts[0] if device.hosts else "")
    return found


def _by_label(
    device: DeviceReading, nodes: Mapping[str, NodeFact], by_address: Mapping[str, str]
) -> str:
    for host in device.hosts:
        if host in nodes:
            return host
        if address(host) in by_address:
            return by_address[address(host)]
    return ""
