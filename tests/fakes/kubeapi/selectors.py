"""Label and field selectors as the API server reads them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.fakes.kubeapi.errors import bad_request
from tests.fakes.kubeapi.kinds import Kind

Object = dict[str, Any]
Predicate = Callable[[Object], bool]

_FIELDS = {
    "pods": {
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "status.phase",
        "status.podIP",
    },
    "nodes": {"spec.unschedulable"},
    "namespaces": {"status.phase"},
    "jobs": {"status.successful"},
}

_SET = re.compile(r"^(?P<key>\S+)\s+(?P<op>in|notin)\s*\((?P<values>[^()]*)\)$")
_EQUAL = re.compile(r"^(?P<key>[^\s!=]+)\s*(?P<op>==|=|!=)\s*(?P<value>[^\s!=]*)$")
_EXISTS = re.compile(r"^(?P<no>!?)\s*(?P<key>[^\s!=()]+)$")


def by_labels(selector: str) -> Predicate:
    checks = [_label_check(part.strip()) for part in _split(selector)]

    def matches(obj: Object) -> bool:
        labels = obj["metadata"].get("labels") or {}
        return all(check(labels) for check in checks)

    return matches


def by_fields(selector: str, kind: Kind) -> Predicate:
    checks: list[Predicate] = []
    for part in filter(None, selector.split(",")):
        found = _EQUAL.match(part.strip())
        if not found:
            raise bad_request(f"invalid selector: '{part}'; can't understand '{part}'")
        field = found["key"]
        if field not in _FIELDS.get(kind.plural, set()) | {"metadata.name", "metadata.namespace"}:
            raise bad_request(f"field label not supported: {field}")
        checks.append(_field_check(field, found["value"], found["op"] != "!="))
    return lambda obj: all(check(obj) for check in checks)


def _split(selector: str) -> list[str]:
    """Parts at the commas outside parentheses."""
    if selector.count("(") != selector.count(")"):
        raise bad_request("unable to parse requirement: found '', expected: ',' or ')'")
    return [part for part in re.split(r",(?![^(]*\))", selector) if part.strip()]


def _label_check(part: str) -> Callable[[dict[str, str]], bool]:
    if found := _SET.match(part):
        values = {value.strip() for value in found["values"].split(",")}
        key, wanted = found["key"], found["op"] == "in"
        return lambda labels: (labels.get(key) in values) is wanted
    if found := _EQUAL.match(part):
        key, value, same = found["key"], found["value"], found["op"] != "!="
        return lambda labels: (labels.get(key) == value) is same
    if found := _EXISTS.match(part):
        key, present = found["key"], not found["no"]
        return lambda labels: (key in labels) is present
    raise bad_request(f"unable to parse requirement: {part}")


def _field_check(field: str, value: str, same: bool) -> Predicate:
    def check(obj: Object) -> bool:
        found: Any = obj
        for step in field.split("."):
            found = (found or {}).get(step)
        return (str(found or "") == value) is same

    return check
