"""Where the Kubernetes API is and who we are there: a kubeconfig, else the pod's own account.

The client's own loader repeats whole user entries, tokens included, in its messages and logs the
failure of a credential plugin instead of raising it. So its errors are never passed on as they
are, and what it logs is caught here. Importing this module loads the client (0.3 s); only
``api`` does.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client, config
from kubernetes.config.kube_config import KubeConfigLoader, KubeConfigMerger

from analyzer.errors import ConfigError, Denied, Unreachable

DEFAULT_KUBECONFIG = "~/.kube/config"

_MALFORMED = (AttributeError, KeyError, TypeError, ValueError, IndexError)
"""What the client's loader trips over when a kubeconfig has another shape than it expects."""


def load(kubeconfig: str, context: str) -> Any:
    """A ``kubernetes.client.Configuration`` for ``context`` of ``kubeconfig``.

    ``kubeconfig`` is a path or several joined as in KUBECONFIG; empty means the default place,
    and the service account of the pod when there is no file. Runs a credential plugin if the
    context names one. Raises ``ConfigError`` for a file or context that cannot be used,
    ``Denied`` when the plugin gives no credentials, ``Unreachable`` when nothing says where a
    cluster is.
    """
    paths = [Path(part).expanduser() for part in _split(kubeconfig or DEFAULT_KUBECONFIG)]
    present = [path for path in paths if path.exists()]
    if present:
        return _from_files(present, context)
    if kubeconfig:
        raise ConfigError(f"kubeconfig {kubeconfig} does not exist; give the path of one that does")
    if context:
        raise ConfigError(
            f"context {context!r} was asked for, but there is no kubeconfig at "
            f"{DEFAULT_KUBECONFIG}; name one with --kubeconfig or KUBECONFIG"
        )
    return _in_cluster()


OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def namespace(kubeconfig: str, context: str) -> str:
    """The namespace that ``context`` names; inside a pod, where no kubeconfig says otherwise, the
    pod's own; ``default`` where nothing does. Raises ``ConfigError`` as ``load`` does."""
    paths = [Path(part).expanduser() for part in _split(kubeconfig or DEFAULT_KUBECONFIG)]
    present = [path for path in paths if path.exists()]
    if not present:
        try:
            return OWN_NAMESPACE.read_text(encoding="utf-8").strip() or "default"
        except (OSError, UnicodeDecodeError):
            return "default"
    where = os.pathsep.join(str(path) for path in present)
    merged = _merge(present, where).value
    name, _ = _context(merged, context, where)
    found = next(one["context"] for one in merged["contexts"] if one["name"] == name)
    return str(found["namespace"] or "default") if "namespace" in found else "default"


def _split(kubeconfig: str) -> list[str]:
    return [part for part in kubeconfig.split(os.pathsep) if part]


def _in_cluster() -> Any:
    configuration = client.Configuration()
    try:
        config.load_incluster_config(configuration)  # type: ignore[no-untyped-call]
    except (config.ConfigException, OSError) as exc:
        raise Unreachable(
            f"no Kubernetes cluster is configured: no kubeconfig at {DEFAULT_KUBECONFIG} and not "
            "inside a pod; name one with --kubeconfig or under [clusters.kubernetes], or set "
            "enabled = false there"
        ) from exc
    return configuration


def _from_files(paths: list[Path], context: str) -> Any:
    where = os.pathsep.join(str(path) for path in paths)
    merged = _merge(paths, where)
    name, user = _context(merged.value, context, where)
    plugin = _plugin(user, where, name)
    configuration = client.Configuration()
    with captured_plugin_errors() as said:
        try:
            # No persister: a user's kubeconfig is theirs, refreshed tokens are not written back.
            loader: Any = KubeConfigLoader
            loader(merged, active_context=name, config_base_path=None).load_and_set(configuration)
        except (config.ConfigException, *_MALFORMED, OSError) as exc:
            raise _unusable(where, name, exc) from None
    if plugin and not configuration.api_key and not configuration.cert_file:
        raise Denied(
            f"kubeconfig {where}, context {name!r}: the credential plugin {plugin!r} gave no "
            f"credentials ({said[0] if said else 'no reason given'}); run it by hand"
        )
    return configuration


def _unusable(where: str, context: str, exc: Exception | None = None) -> ConfigError:
    missing = f" ({exc.filename})" if isinstance(exc, OSError) and exc.filename else ""
    return ConfigError(
        f"kubeconfig {where}: the cluster or user of context {context!r} cannot be used{missing}; "
        f"check its server, certificates and credentials with kubectl --context {context}"
    )


def _merge(paths: list[Path], where: str) -> Any:
    """The files as one document, as kubectl merges them."""
    merger: Any = KubeConfigMerger
    try:
        merged = merger(os.pathsep.join(str(path) for path in paths)).config
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        raise ConfigError(f"kubeconfig {where} is not valid YAML{line}; repair it") from None
    except OSError as exc:
        raise ConfigError(f"kubeconfig {where} cannot be read: {exc.strerror}") from exc
    except (config.ConfigException, *_MALFORMED):
        # Their texts may quote a user entry.
        merged = None
    if merged is None:
        raise ConfigError(f"{where} is not a kubeconfig; expected clusters, contexts and users")
    return merged


def _context(document: Mapping[str, Any], context: str, where: str) -> tuple[str, Any]:
    """The context's name and its user entry (a mapping, or None)."""
    try:
        contexts = {entry["name"]: entry["context"] for entry in document["contexts"]}
        users = {entry["name"]: entry["user"] for entry in document["users"]}
        name = context or document.get("current-context") or ""
        known = ", ".join(sorted(contexts)) or "none"
        if not name:
            raise ConfigError(f"kubeconfig {where} has no current context; name one of: {known}")
        if name not in contexts:
            raise ConfigError(f"kubeconfig {where} has no context {name!r}; it has: {known}")
        return name, users.get(contexts[name]["user"]) if "user" in contexts[name] else None
    except (config.ConfigException, *_MALFORMED):
        raise ConfigError(
            f"{where} is not a kubeconfig; expected clusters, contexts and users"
        ) from None


def _plugin(user: Any, where: str, context: str) -> str:
    """The command of the user's credential plugin, empty without one."""
    try:
        command = str(user["exec"]["command"]) if user and "exec" in user else ""
    except (config.ConfigException, *_MALFORMED):
        raise _unusable(where, context) from None
    if command and os.sep not in command and shutil.which(command) is None:
        raise ConfigError(
            f"kubeconfig {where}, context {context!r}: the credential plugin {command!r} is not "
            "on PATH; install it or choose another context"
        )
    return command


class _PluginErrors(logging.Filter):
    """Keeps what the client's loader logs in one thread, and keeps it off stderr."""

    def __init__(self) -> None:
        super().__init__()
        self.thread = threading.get_ident()
        self.messages: list[str] = []

    def filter(self, record: logging.LogRecord) -> bool:
        if record.thread != self.thread or not record.pathname.endswith("kube_config.py"):
            return True
        text = record.getMessage().strip()
        self.messages.append(text.splitlines()[0][:200] if text else "")
        return False


@contextmanager
def captured_plugin_errors() -> Iterator[list[str]]:
    """Collects the errors that the client's loader would log on the root logger."""
    root = logging.getLogger()
    # logging.error() configures a handler on stderr when the root logger has none at all.
    silent = logging.NullHandler()
    errors = _PluginErrors()
    root.addHandler(silent)
    root.addFilter(errors)
    try:
        yield errors.messages
    finally:
        root.removeFilter(errors)
        root.removeHandler(silent)
