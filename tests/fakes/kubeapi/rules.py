"""What the API server does to an object on its way into the store: defaults, checks, generation."""

from __future__ import annotations

import copy
import uuid
from datetime import UTC, datetime
from typing import Any

from tests.fakes.kubeapi.errors import ApiError, bad_request, conflict, invalid
from tests.fakes.kubeapi.kinds import Kind

Object = dict[str, Any]

_NO_GENERATION = {"nodes", "namespaces", "configmaps", "services", "events", "leases"}
_FIXED = (
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "generation",
    "generateName",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "resourceVersion",
)
"""Metadata that a client cannot change."""
_STATUS_ON_CREATE = {"nodes"}
_STATUS_TAKES_LABELS = {"pods", "nodes"}


def rfc3339_now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def new(kind: Kind, body: Object, namespace: str) -> Object:
    """The object that a POST creates, without its version."""
    obj = typed(kind, body)
    metadata = obj["metadata"]
    if metadata.get("resourceVersion"):
        raise ApiError(500, "", "resourceVersion should not be set on objects to be created")
    if metadata.get("namespace", namespace) != namespace:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    if not metadata.get("name") and metadata.get("generateName"):
        metadata["name"] = metadata["generateName"] + uuid.uuid4().hex[:5]
    if not metadata.get("name"):
        why = "Required value: name or generateName is required"
        raise invalid(kind, "", "metadata.name", why, "FieldValueRequired")
    if namespace:
        metadata["namespace"] = namespace
    metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": rfc3339_now()}
    if kind.plural not in _NO_GENERATION:
        metadata["generation"] = 1
    if kind.status and kind.plural not in _STATUS_ON_CREATE:
        obj.pop("status", None)
    _default(kind, obj)
    _check(kind, obj)
    return obj


def typed(kind: Kind, body: Any) -> Object:
    """A copy of a request's body, checked to be of the kind that the path names."""
    if not isinstance(body, dict) or not isinstance(body.get("metadata", {}), dict):
        raise bad_request(f"the object provided is unrecognized (must be of type {kind.kind})")
    obj = copy.deepcopy(body)
    obj.setdefault("apiVersion", kind.api_version)
    obj.setdefault("kind", kind.kind)
    obj.setdefault("metadata", {})
    if (obj["apiVersion"], obj["kind"]) != (kind.api_version, kind.kind):
        raise bad_request(
            f"{obj['kind']} in version {obj['apiVersion']} cannot be handled as a {kind.kind}"
        )
    return obj


def changed(kind: Kind, old: Object, proposed: Object, subresource: str) -> Object:
    """The object after an update or patch, without its version. Raises 409 when ``proposed``
    names another version than the present one."""
    result = typed(kind, proposed)
    _check_identity(kind, old["metadata"], result["metadata"])
    if subresource == "status":
        result = _status_only(kind, old, result)
    elif kind.status and kind.plural != "namespaces":
        result.pop("status", None)
        result |= {"status": old["status"]} if "status" in old else {}
    for fixed in _FIXED:
        result["metadata"].pop(fixed, None)
        if fixed in old["metadata"]:
            result["metadata"][fixed] = old["metadata"][fixed]
    _default(kind, result)
    _check(kind, result)
    if "generation" in old["metadata"] and _desired(old) != _desired(result):
        result["metadata"]["generation"] += 1
    return result


def _check_identity(kind: Kind, before: Object, metadata: Object) -> None:
    name = before["name"]
    if metadata.get("name", name) != name:
        raise bad_request(
            f"the name of the object ({metadata['name']}) does not match the name on the URL "
            f"({name})"
        )
    if metadata.get("resourceVersion", before["resourceVersion"]) != before["resourceVersion"]:
        raise conflict(kind, name)
    if metadata.get("uid", before["uid"]) != before["uid"]:
        why = f'Invalid value: "{metadata["uid"]}": field is immutable'
        raise invalid(kind, name, "metadata.uid", why, "FieldValueInvalid")


def _status_only(kind: Kind, old: Object, proposed: Object) -> Object:
    result = copy.deepcopy(old)
    result.pop("status", None)
    if "status" in proposed:
        result["status"] = proposed["status"]
    if kind.plural in _STATUS_TAKES_LABELS:
        for part in ("labels", "annotations"):
            if part in proposed["metadata"]:
                result["metadata"][part] = proposed["metadata"][part]
    return result


def _desired(obj: Object) -> Object:
    """All but metadata and status: what a generation counts changes of."""
    return {key: value for key, value in obj.items() if key not in ("metadata", "status")}


def _default(kind: Kind, obj: Object) -> None:
    if kind.plural in ("deployments", "statefulsets", "replicasets") and not kind.custom:
        obj.setdefault("spec", {}).setdefault("replicas", 1)
        obj.setdefault("status", {"replicas": 0} if kind.plural == "replicasets" else {})
    if kind.plural == "pods":
        obj.setdefault("spec", {}).setdefault("restartPolicy", "Always")
        obj.setdefault("status", {"phase": "Pending"})
    if kind.plural == "namespaces":
        labels = obj["metadata"].setdefault("labels", {})
        labels["kubernetes.io/metadata.name"] = obj["metadata"]["name"]
        obj.setdefault("status", {"phase": "Active"})
    if kind.plural == "nodes":
        _canonical(obj.get("status") or {})
    for container in _containers(obj):
        resources = container.setdefault("resources", {})
        if resources.get("limits"):
            resources["requests"] = resources["limits"] | (resources.get("requests") or {})


def _canonical(status: Object) -> None:
    """Quantities as the server writes them: thousands as ``k``."""
    for part in ("allocatable", "capacity"):
        for name, value in (status.get(part) or {}).items():
            text = str(value)
            if text.isdecimal() and text != "0" and text.endswith("000"):
                text = text[:-3] + "k"
            status[part][name] = text


def _containers(obj: Object) -> list[Object]:
    spec = obj.get("spec") or {}
    template = spec.get("template") if obj["kind"] != "Pod" else obj
    pod_spec = (template or {}).get("spec") if isinstance(template, dict) else None
    pod_spec = pod_spec or {}
    return [*(pod_spec.get("containers") or ()), *(pod_spec.get("initContainers") or ())]


def _check(kind: Kind, obj: Object) -> None:
    if kind.custom:
        return
    name = obj["metadata"]["name"]
    spec = obj.get("spec") or {}
    replicas = spec.get("replicas")
    if isinstance(replicas, int) and replicas < 0:
        why = f"Invalid value: {replicas}: must be greater than or equal to 0"
        raise invalid(kind, name, "spec.replicas", why, "FieldValueInvalid")
    scaled = kind.plural in ("deployments", "statefulsets", "replicasets")
    if scaled and not spec.get("selector"):
        raise invalid(kind, name, "spec.selector", "Required value", "FieldValueRequired")
    if kind.plural == "pods" and not spec.get("containers"):
        raise invalid(kind, name, "spec.containers", "Required value", "FieldValueRequired")
    if kind.group != "apps" and kind.plural != "pods":
        return
    for container in _containers(obj):
        limits = container["resources"].get("limits") or {}
        requests = container["resources"].get("requests") or {}
        if any("/" in resource and resource not in limits for resource in requests):
            why = "Required value: Limit must be set for non overcommitable resources"
            field = "spec.containers[0].resources.limits"
            raise invalid(kind, name, field, why, "FieldValueRequired")
