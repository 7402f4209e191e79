"""The three patch types: JSON merge patch, strategic merge patch, JSON patch."""

from __future__ import annotations

import copy
from typing import Any

from tests.fakes.kubeapi.errors import bad_request, rejected_patch

_MERGE_KEYS = {
    "addresses": "type",
    "conditions": "type",
    "containers": "name",
    "env": "name",
    "ephemeralContainers": "name",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "ownerReferences": "uid",
    "ports": "containerPort",
    "volumeMounts": "mountPath",
    "volumes": "name",
}
"""Lists that strategic merge joins by a key, as the API types declare them; others are replaced."""

_MERGED_SETS = {"finalizers"}


def merge(target: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def strategic(target: Any, patch: Any, name: str = "") -> Any:
    if isinstance(patch, dict):
        return _strategic_map(target if isinstance(target, dict) else {}, patch)
    if isinstance(patch, list) and isinstance(target, list):
        if name in _MERGE_KEYS:
            return _strategic_list(target, patch, _MERGE_KEYS[name])
        if name in _MERGED_SETS:
            return [*target, *(one for one in patch if one not in target)]
    return copy.deepcopy(patch)


def _strategic_map(target: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    if patch.get("$patch") == "replace":
        return {key: value for key, value in patch.items() if key != "$patch"}
    result = dict(target)
    for key, value in patch.items():
        if key.startswith("$"):
            continue
        if value is None:
            result.pop(key, None)
        else:
            result[key] = strategic(result.get(key), value, key)
    return result


def _strategic_list(target: list[Any], patch: list[Any], key: str) -> list[Any]:
    if {"$patch": "replace"} in patch:
        return [one for one in patch if one != {"$patch": "replace"}]
    result = list(target)
    for element in patch:
        if key not in element:
            raise bad_request(f"map: {element} does not contain declared merge key: {key}")
        same = [one for one in result if one.get(key) == element[key]]
        if element.get("$patch") == "delete":
            result = [one for one in result if one not in same]
        elif same:
            result[result.index(same[0])] = strategic(same[0], element)
        else:
            result.append(copy.deepcopy(element))
    return result


def json_patch(target: Any, operations: Any) -> Any:
    """RFC 6902. An operation that does not apply is a 422, as with the API server."""
    if not isinstance(operations, list):
        raise bad_request("error decoding patch: json: cannot unmarshal object into jsonpatch")
    document = copy.deepcopy(target)
    for operation in operations:
        try:
            document = _apply(document, operation)
        except (KeyError, IndexError, TypeError, ValueError) as exc:
            raise rejected_patch() from exc
    return document


def _apply(document: Any, operation: dict[str, Any]) -> Any:
    verb, path = operation["op"], _pointer(operation["path"])
    if verb == "add":
        return _put(document, path, copy.deepcopy(operation["value"]), insert=True)
    if verb == "replace":
        _find(document, path)
        return _put(document, path, copy.deepcopy(operation["value"]), insert=False)
    if verb == "remove":
        return _remove(document, path)
    if verb == "test":
        try:
            found = _find(document, path)
        except (KeyError, IndexError):
            found = None
        if found != operation.get("value"):
            raise ValueError("test failed")
        return document
    source = _pointer(operation["from"])
    value = copy.deepcopy(_find(document, source))
    if verb == "move":
        document = _remove(document, source)
    elif verb != "copy":
        raise bad_request(f"Unexpected kind: {verb}")
    return _put(document, path, value, insert=True)


def _pointer(path: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]


def _step(node: Any, part: str) -> Any:
    return node[int(part)] if isinstance(node, list) else node[part]


def _find(document: Any, path: list[str]) -> Any:
    for part in path:
        document = _step(document, part)
    return document


def _put(document: Any, path: list[str], value: Any, insert: bool) -> Any:
    if not path:
        return value
    parent, last = _find(document, path[:-1]), path[-1]
    if not isinstance(parent, list):
        parent[last] = value
    elif last == "-":
        parent.append(value)
    elif insert:
        parent.insert(int(last), value)
    else:
        parent[int(last)] = value
    return document


def _remove(document: Any, path: list[str]) -> Any:
    parent, last = _find(document, path[:-1]), path[-1]
    del parent[int(last) if isinstance(parent, list) else last]
    return document


PATCHES = {
    "application/merge-patch+json": merge,
    "application/strategic-merge-patch+json": strategic,
    "application/json-patch+json": json_patch,
}
