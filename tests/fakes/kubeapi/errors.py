"""Errors of the Kubernetes API as it words them: v1 Status objects."""

from __future__ import annotations

from typing import Any

from tests.fakes.kubeapi.kinds import Kind


class ApiError(Exception):
    """An answer other than success; ``status`` is the v1 Status to send."""

    def __init__(self, code: int, reason: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.code = code
        self.status = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": more.pop("metadata", {}),
            "status": "Failure",
            "message": message,
            "reason": reason,
            **more,
            "code": code,
        }


def details(kind: Kind, name: str = "") -> dict[str, Any]:
    found = {"name": name, "group": kind.group, "kind": kind.plural}
    return {key: value for key, value in found.items() if value}


def not_found(kind: Kind, name: str) -> ApiError:
    return ApiError(
        404, "NotFound", f'{kind.full_name} "{name}" not found', details=details(kind, name)
    )


def unknown_resource() -> ApiError:
    message = "the server could not find the requested resource"
    return ApiError(404, "NotFound", message, details={})


def already_exists(kind: Kind, name: str) -> ApiError:
    message = f'{kind.full_name} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, details=details(kind, name))


MODIFIED = (
    "the object has been modified; please apply your changes to the latest version and try again"
)


def conflict(kind: Kind, name: str, why: str = MODIFIED) -> ApiError:
    message = f'Operation cannot be fulfilled on {kind.full_name} "{name}": {why}'
    return ApiError(409, "Conflict", message, details=details(kind, name))


def invalid(kind: Kind, name: str, field: str, why: str, cause: str) -> ApiError:
    shown = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    return ApiError(
        422,
        "Invalid",
        f'{shown} "{name}" is invalid: {field}: {why}',
        details={
            **details(kind, name),
            "kind": kind.kind,
            "causes": [{"reason": cause, "message": why, "field": field}],
        },
    )


def rejected_patch() -> ApiError:
    message = "the server rejected our request due to an error in our request"
    return ApiError(422, "Invalid", message, details={})


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def unsupported_media_type() -> ApiError:
    message = "415: Unsupported Media Type"
    return ApiError(415, "UnsupportedMediaType", message, details={})


def method_not_allowed() -> ApiError:
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, details={})


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def forbidden(user: str, verb: str, kind: Kind, namespace: str, name: str) -> ApiError:
    subject = f'{kind.full_name} "{name}"' if name else kind.full_name
    scope = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    message = (
        f'{subject} is forbidden: User "{user}" cannot {verb} resource "{kind.plural}" '
        f'in API group "{kind.group}" {scope}'
    )
    return ApiError(403, "Forbidden", message, details=details(kind, name))


def expired(inconsistent_token: str = "") -> ApiError:
    return ApiError(
        410,
        "Expired",
        "The provided continue parameter is too old to display a consistent list result.",
        metadata={"continue": inconsistent_token} if inconsistent_token else {},
    )


def too_old(asked: int, oldest: int) -> ApiError:
    return ApiError(410, "Expired", f"too old resource version: {asked} ({oldest})")
