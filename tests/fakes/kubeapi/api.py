"""The verbs of the Kubernetes API over the store."""

from __future__ import annotations

import base64
import copy
import json
import time
from collections.abc import Iterator
from typing import Any

from tests.fakes.kubeapi import rules, selectors
from tests.fakes.kubeapi.errors import (
    ApiError,
    already_exists,
    bad_request,
    conflict,
    details,
    expired,
    invalid,
    not_found,
    too_old,
    unsupported_media_type,
)
from tests.fakes.kubeapi.kinds import BUILT_IN, Kind, from_definition
from tests.fakes.kubeapi.patches import PATCHES
from tests.fakes.kubeapi.requests import Reply, Request
from tests.fakes.kubeapi.store import Event, Key, Object, Store

META = {"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata"}

NAMESPACES = BUILT_IN[0]


class Api:
    """What each verb does. ``namespace`` is empty for cluster-wide lists and such objects."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.kinds: list[Kind] = list(BUILT_IN)
        for name in ("default", "kube-system"):
            store.put(NAMESPACES, rules.new(NAMESPACES, {"metadata": {"name": name}}, ""))

    # Reading

    def get(self, request: Request, kind: Kind, namespace: str, name: str) -> Reply:
        obj = self._present(kind, namespace, name)
        if request.wants("PartialObjectMetadata"):
            return Reply(body={**META, "metadata": obj["metadata"]})
        return Reply(body=obj)

    def read_list(self, request: Request, kind: Kind, namespace: str) -> Reply:
        query = request.query
        matches = self._matcher(request, kind, namespace)
        version, start = _continuation(query.get("continue", ""))
        found = self.store.snapshot(max(version, 0))
        if found is None:
            raise expired(_token(-1, start))
        version, objects = found
        keys = sorted(
            (key for key in objects if key[0] == kind.full_name and _place(key) > start),
            key=_place,
        )
        limit = int(query.get("limit") or 0) or len(keys)
        page: list[Object] = []
        metadata: dict[str, Any] = {"resourceVersion": str(version)}
        last = ""
        matching = [key for key in keys if matches(key, objects[key])]
        for key in matching[:limit]:
            page.append(objects[key])
            last = _place(key)
        if len(matching) > limit:
            metadata["continue"] = _token(version, last)
            if not query.get("labelSelector") and not query.get("fieldSelector"):
                metadata["remainingItemCount"] = len(matching) - limit
        return Reply(body=_list_body(request, kind, metadata, page))

    def watch(self, request: Request, kind: Kind, namespace: str) -> Reply:
        matches = self._matcher(request, kind, namespace)
        since = int(request.query.get("resourceVersion") or 0)
        seconds = float(request.query.get("timeoutSeconds") or 1800)
        with self.store.changed:
            if since and since < self.store.oldest:
                error = {"type": "ERROR", "object": too_old(since, self.store.oldest).status}
                return Reply(stream=iter([error]))
            first: list[Any] = []
            if not since:
                since = self.store.version
                first = [
                    {"type": "ADDED", "object": _shape(request, obj)}
                    for key, obj in sorted(self.store.objects.items())
                    if key[0] == kind.full_name and matches(key, obj)
                ]
        return Reply(stream=self._stream(request, matches, first, since, seconds))

    def _stream(
        self, request: Request, matches: Any, first: list[Any], since: int, seconds: float
    ) -> Iterator[Any]:
        yield from first
        end = time.monotonic() + seconds
        while True:
            with self.store.changed:
                pending = [event for event in self.store.history if event.version > since]
                if not pending:
                    left = end - time.monotonic()
                    if left <= 0 or not self.store.changed.wait(left):
                        return
                    continue
                since = pending[-1].version
            for event in pending:
                kind = _event_type(event, matches)
                if kind:
                    yield {"type": kind, "object": _shape(request, event.last)}

    def _matcher(self, request: Request, kind: Kind, namespace: str) -> Any:
        labels = selectors.by_labels(request.query.get("labelSelector", ""))
        fields = selectors.by_fields(request.query.get("fieldSelector", ""), kind)

        def matches(key: Key, obj: Object | None) -> bool:
            here = key[0] == kind.full_name and (not namespace or key[1] == namespace)
            return here and obj is not None and labels(obj) and fields(obj)

        return matches

    def _present(self, kind: Kind, namespace: str, name: str) -> Object:
        obj = self.store.get(kind, namespace, name)
        if obj is None:
            raise not_found(kind, name)
        return {"kind": kind.kind, **obj, "apiVersion": kind.api_version}

    # Writing

    def create(self, request: Request, kind: Kind, namespace: str) -> Reply:
        dry = _dry_run(request)
        with self.store.changed:
            obj = rules.new(kind, request.body(), namespace)
            name = obj["metadata"]["name"]
            if namespace and self.store.get(NAMESPACES, "", namespace) is None:
                raise not_found(NAMESPACES, namespace)
            if self.store.get(kind, namespace, name) is not None:
                raise already_exists(kind, name)
            if not dry:
                obj = self.store.put(kind, obj)
                if kind.plural == "customresourcedefinitions":
                    self.kinds += from_definition(obj)
        return Reply(201, obj)

    def replace(
        self, request: Request, kind: Kind, namespace: str, name: str, subresource: str
    ) -> Reply:
        with self.store.changed:
            present = self._present(kind, namespace, name)
            body = request.body()
            if kind.custom and not (body.get("metadata") or {}).get("resourceVersion"):
                why = "Invalid value: 0: must be specified for an update"
                raise invalid(kind, name, "metadata.resourceVersion", why, "FieldValueInvalid")
            return self._write(request, kind, present, body, subresource)

    def patch(
        self, request: Request, kind: Kind, namespace: str, name: str, subresource: str
    ) -> Reply:
        apply = PATCHES.get(request.content_type)
        strategic = "strategic" in request.content_type
        if apply is None or (strategic and kind.custom):
            raise unsupported_media_type()
        try:
            patch = json.loads(request.raw_body)
        except ValueError as exc:
            raise bad_request(f"error decoding patch: {exc}") from exc
        with self.store.changed:
            present = self._present(kind, namespace, name)
            proposed = apply(copy.deepcopy(self._view(kind, present, subresource)), patch)
            return self._write(request, kind, present, proposed, subresource)

    def read_scale(self, kind: Kind, namespace: str, name: str) -> Reply:
        return Reply(body=_scale(kind, self._present(kind, namespace, name)))

    def _view(self, kind: Kind, present: Object, subresource: str) -> Object:
        if subresource != "scale":
            return present
        # A patch may set the replicas of a custom object that has none yet.
        return _scale(kind, present, missing=0)

    def _write(
        self, request: Request, kind: Kind, present: Object, proposed: Any, subresource: str
    ) -> Reply:
        if subresource == "scale":
            proposed = _scaled(kind, present, proposed)
        obj = rules.changed(kind, present, proposed, subresource)
        if not _dry_run(request) and obj != present:
            if obj["metadata"].get("deletionTimestamp") and not obj["metadata"].get("finalizers"):
                self._erase(kind, obj)
            else:
                obj = self.store.put(kind, obj)
        return Reply(body=_scale(kind, obj) if subresource == "scale" else obj)

    def delete(self, request: Request, kind: Kind, namespace: str, name: str) -> Reply:
        with self.store.changed:
            obj = self._present(kind, namespace, name)
            metadata = obj["metadata"]
            for field, said in ((request.body() or {}).get("preconditions") or {}).items():
                if metadata.get(field) != said:
                    label = "UID" if field == "uid" else "ResourceVersion"
                    why = f"the {label} in the precondition ({said}) does not match"
                    raise conflict(kind, name, why)
            if metadata.get("finalizers"):
                metadata.setdefault("deletionTimestamp", rules.rfc3339_now())
                metadata.setdefault("deletionGracePeriodSeconds", 0)
                return Reply(body=obj if _dry_run(request) else self.store.put(kind, obj))
            if not _dry_run(request):
                self._erase(kind, obj)
        gone = {**details(kind, name), "uid": metadata["uid"]}
        return Reply(
            body={
                "kind": "Status",
                "apiVersion": "v1",
                "metadata": {},
                "status": "Success",
                "details": gone,
            }
        )

    def _erase(self, kind: Kind, obj: Object) -> None:
        """Removes the object and, as controllers would soon after, what lives inside it."""
        metadata = obj["metadata"]
        self.store.remove(kind, metadata.get("namespace", ""), metadata["name"])
        if kind == NAMESPACES:
            self._empty(lambda key: key[1] == metadata["name"])
        if kind.plural == "customresourcedefinitions":
            gone = {one.full_name for one in from_definition(obj)}
            self._empty(lambda key: key[0] in gone)
            self.kinds = [one for one in self.kinds if one.full_name not in gone]

    def _empty(self, inside: Any) -> None:
        for key in [key for key in self.store.objects if inside(key)]:
            kind = next(one for one in self.kinds if one.full_name == key[0])
            self.store.remove(kind, key[1], key[2])


def _place(key: Key) -> str:
    """Where an object sorts: by namespace, then by name."""
    return f"{key[1]}/{key[2]}" if key[1] else key[2]


def _token(version: int, start: str) -> str:
    said = {"v": "meta.k8s.io/v1", "rv": version, "start": start}
    return base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")


def _continuation(token: str) -> tuple[int, str]:
    """Version and the place after which to go on; (0, "") for a first page."""
    if not token:
        return 0, ""
    try:
        said = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return int(said["rv"]), str(said["start"])
    except (KeyError, TypeError, ValueError) as exc:
        raise bad_request("invalid continue token: continue key is not valid") from exc


def _list_body(
    request: Request, kind: Kind, metadata: dict[str, Any], page: list[Object]
) -> dict[str, Any]:
    if request.wants("PartialObjectMetadataList"):
        items = [{**META, "metadata": obj["metadata"]} for obj in page]
        return {**META, "kind": "PartialObjectMetadataList", "metadata": metadata, "items": items}
    left_out = () if kind.custom else ("kind", "apiVersion")
    items = [{key: obj[key] for key in obj if key not in left_out} for obj in page]
    return {
        "kind": f"{kind.kind}List",
        "apiVersion": kind.api_version,
        "metadata": metadata,
        "items": items,
    }


def _shape(request: Request, obj: Object) -> Object:
    return {**META, "metadata": obj["metadata"]} if request.wants("PartialObjectMetadata") else obj


def _event_type(event: Event, matches: Any) -> str:
    before, after = matches(event.key, event.old), matches(event.key, event.new)
    if after:
        return "MODIFIED" if before else "ADDED"
    return "DELETED" if before else ""


def _dry_run(request: Request) -> bool:
    said = request.query.get("dryRun", "")
    if said not in ("", "All"):
        message = f'dryRun: Unsupported value: ["{said}"]: supported values: "All"'
        raise ApiError(422, "Invalid", message)
    return said == "All"


def _scale(kind: Kind, obj: Object, missing: int | None = None) -> Object:
    """The Scale of an object. A zero is left out, as the server does."""
    replicas = (obj.get("spec") or {}).get("replicas", missing)
    if replicas is None:
        why = 'the spec replicas field ".spec.replicas" does not exist'
        raise ApiError(500, "InternalError", f"Internal error occurred: {why}")
    metadata, status = obj["metadata"], obj.get("status") or {}
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    labels = ((obj.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: metadata[key] for key in kept if key in metadata},
        "spec": {"replicas": replicas} if replicas else {},
        "status": {
            "replicas": status.get("replicas", 0),
            **({"selector": selector} if selector and not kind.custom else {}),
        },
    }


def _scaled(kind: Kind, present: Object, scale: Any) -> Object:
    """The object with the replicas (and the version, if any) of a Scale."""
    if not isinstance(scale, dict):
        raise bad_request("the object provided is unrecognized (must be of type Scale)")
    name, replicas = present["metadata"]["name"], (scale.get("spec") or {}).get("replicas", 0)
    if replicas < 0:
        why = f"Invalid value: {replicas}: must be greater than or equal to 0"
        asked = Kind("autoscaling", "v1", "scales", "Scale")
        raise invalid(asked, name, "spec.replicas", why, "FieldValueInvalid")
    result = copy.deepcopy(present)
    result.setdefault("spec", {})["replicas"] = replicas
    for field in ("resourceVersion", "uid", "name"):
        if (scale.get("metadata") or {}).get(field):
            result["metadata"][field] = scale["metadata"][field]
    return result
