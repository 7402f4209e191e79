"""From a path to what it means: discovery, an object, a list, a subresource."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.fakes.kubeapi.api import Api
from tests.fakes.kubeapi.errors import forbidden, method_not_allowed, unknown_resource
from tests.fakes.kubeapi.kinds import Kind, group, resource_list
from tests.fakes.kubeapi.requests import Reply, Request

VERSION = "v1.36.2"


@dataclass(frozen=True)
class Attempt:
    """What a request wants to do, for an allow rule. ``resource`` is ``deployments/scale`` for a
    subresource."""

    user: str
    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""


Allow = Callable[[Attempt], bool]

PAGE_NOT_FOUND = Reply(404, b"404 page not found\n", content_type="text/plain; charset=utf-8")


@dataclass(frozen=True)
class Target:
    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""


@dataclass
class Router:
    api: Api
    allow: Allow = field(default=lambda attempt: True)

    def answer(self, request: Request) -> Reply:
        parts = [part for part in request.path.split("/") if part] or [""]
        if parts == ["version"]:
            major, minor = VERSION[1:].split(".")[:2]
            return Reply(body={"major": major, "minor": minor, "gitVersion": VERSION})
        if parts in (["healthz"], ["readyz"], ["livez"]):
            return Reply(body=b"ok", content_type="text/plain; charset=utf-8")
        if parts == ["apis", "authorization.k8s.io", "v1", "selfsubjectaccessreviews"]:
            return self._review(request)
        found = self._discovery(parts)
        if found is not None:
            return found
        return self._resource(request, parts)

    def _discovery(self, parts: list[str]) -> Reply | None:
        kinds = self.api.kinds
        if parts == ["api"]:
            return Reply(body={"kind": "APIVersions", "versions": ["v1"]})
        if parts == ["apis"]:
            names = sorted({kind.group for kind in kinds if kind.group})
            groups = [group(name, self._versions(name)) for name in names]
            return Reply(body={"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
        if parts[:1] == ["apis"] and len(parts) == 2:
            versions = self._versions(parts[1])
            if not versions:
                return PAGE_NOT_FOUND
            about = {"kind": "APIGroup", "apiVersion": "v1", **group(parts[1], versions)}
            return Reply(body=about)
        if (parts[0], len(parts)) in (("apis", 3), ("api", 2)):
            version = "/".join(parts[1:])
            served = [kind for kind in kinds if kind.api_version == version]
            return Reply(body=resource_list(version, served)) if served else PAGE_NOT_FOUND
        return None

    def _versions(self, name: str) -> list[str]:
        return list(dict.fromkeys(one.version for one in self.api.kinds if one.group == name))

    def _review(self, request: Request) -> Reply:
        body = request.body()
        asked = body["spec"].get("resourceAttributes") or {}
        resource = asked.get("resource", "")
        if asked.get("subresource"):
            resource += f"/{asked['subresource']}"
        attempt = Attempt(
            request.user,
            asked.get("verb", ""),
            asked.get("group", ""),
            resource,
            asked.get("namespace", ""),
            asked.get("name", ""),
        )
        answer = {
            "kind": "SelfSubjectAccessReview",
            "apiVersion": "authorization.k8s.io/v1",
            "metadata": {},
            "spec": body["spec"],
            "status": {"allowed": self.allow(attempt)},
        }
        return Reply(201, answer)

    def _resource(self, request: Request, parts: list[str]) -> Reply:
        target = self._target(parts)
        if isinstance(target, Reply):
            return target
        kind, namespace, name = target.kind, target.namespace, target.name
        verb = _verb(request, target)
        resource = kind.plural + (f"/{target.subresource}" if target.subresource else "")
        attempt = Attempt(request.user, verb, kind.group, resource, namespace, name)
        if not self.allow(attempt):
            raise forbidden(request.user, verb, kind, namespace, name)
        api, sub = self.api, target.subresource
        answers: dict[str, Callable[[], Reply]] = {
            "list": lambda: api.read_list(request, kind, namespace),
            "watch": lambda: api.watch(request, kind, namespace),
            "get": lambda: (
                api.read_scale(kind, namespace, name)
                if sub == "scale"
                else api.get(request, kind, namespace, name)
            ),
            "create": lambda: api.create(request, kind, namespace),
            "update": lambda: api.replace(request, kind, namespace, name, sub),
            "patch": lambda: api.patch(request, kind, namespace, name, sub),
            "delete": lambda: api.delete(request, kind, namespace, name),
        }
        return answers[verb]()

    def _target(self, parts: list[str]) -> Target | Reply:
        core = parts[:1] == ["api"]
        version = "/".join(parts[1 : 2 if core else 3])
        served = [kind for kind in self.api.kinds if kind.api_version == version]
        rest = parts[2 if core else 3 :]
        if parts[:1] not in (["api"], ["apis"]) or not served:
            return PAGE_NOT_FOUND
        namespace = ""
        if rest[:1] == ["namespaces"] and len(rest) > 2 and rest[2] not in ("status", "finalize"):
            namespace, rest = rest[1], rest[2:]
        kind = next((one for one in served if one.plural == rest[0]), None)
        if kind is None or len(rest) > 3 or (namespace and not kind.namespaced):
            raise unknown_resource()
        name, subresource = (*rest[1:], "", "")[:2]
        if subresource and not {"scale": kind.scale, "status": kind.status}.get(subresource):
            raise unknown_resource()
        if name and kind.namespaced and not namespace:
            raise unknown_resource()
        return Target(kind, namespace, name, subresource)


def _verb(request: Request, target: Target) -> str:
    if request.method == "GET":
        if target.name:
            return "get"
        return "watch" if request.query.get("watch") in ("1", "true") else "list"
    if request.method == "POST" and not target.name:
        return "create"
    verbs = {"PUT": "update", "PATCH": "patch", "DELETE": "delete"}
    if target.name and request.method in verbs:
        return verbs[request.method]
    raise method_not_allowed()
