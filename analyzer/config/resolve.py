"""Fetches what the configuration only names: secrets, files and the kubeconfig."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from analyzer.config.clusters import ClusterConfig, KubernetesConfig, PrometheusConfig
from analyzer.config.jobs import LeadershipConfig, WebConfig
from analyzer.config.place import Place, quoted
from analyzer.config.secret import Secret
from analyzer.config.sizing import ModelConfig, SizingConfig
from analyzer.config.slack import SlackConfig
from analyzer.config.sleep import LedgerConfig
from analyzer.config.url import is_http

_MAX_BYTES = 65_536
_VISIBLE = re.compile(r"[!-~]+(?: [!-~]+)*")
# A token pasted where a name belongs must not be printed. Names are conventionally upper case,
# paths have a slash near the start or an extension; anything else stays unnamed.
_SURELY_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
_SURELY_PATH = re.compile(r"(?:~|\.{0,2})/.*|[\w./-]*\.[a-z]{2,5}")


@dataclass(frozen=True, slots=True)
class World:
    """What is outside the file: the environment, and the folder that relative paths start in."""

    environ: Mapping[str, str]
    folder: Path

    def path(self, text: str) -> Path:
        home = self.environ.get("HOME")
        if home and text.startswith("~/"):
            return Path(home, text[2:])
        return self.folder / text


def resolve_cluster(cluster: ClusterConfig, world: World, place: Place) -> ClusterConfig:
    """``cluster`` with its secrets and absolute paths. Raises ``ConfigError``, without the secret,
    for a variable that is not set or a file that cannot be read."""
    return replace(
        cluster,
        prometheus=_prometheus(cluster.prometheus, world, place.into("prometheus")),
        kubernetes=_kubernetes(cluster.kubernetes, world, place.into("kubernetes")),
    )


def _prometheus(config: PrometheusConfig, world: World, place: Place) -> PrometheusConfig:
    headers = place.into("secret_headers_env")
    return replace(
        config,
        bearer_token=_secret(config, "bearer_token", world, place),
        password=_secret(config, "password", world, place),
        secret_headers={
            name: _from_variable(variable, world, headers.at(name))
            for name, variable in config.secret_headers_env.items()
        },
        ca_file=_file(config.ca_file, world, place.at("ca_file")),
        client_cert_file=_file(config.client_cert_file, world, place.at("client_cert_file")),
        client_key_file=_file(config.client_key_file, world, place.at("client_key_file")),
    )


def _kubernetes(config: KubernetesConfig, world: World, place: Place) -> KubernetesConfig:
    if not config.enabled:
        return config
    if config.kubeconfig:
        return replace(config, kubeconfig=_file(config.kubeconfig, world, place.at("kubeconfig")))
    # KUBECONFIG may list several files, and kubectl forgives those that are missing.
    named = world.environ.get("KUBECONFIG", "")
    usual = world.path("~/.kube/config") if world.environ.get("HOME") else None
    if not named and usual and _is_file(usual):
        named = str(usual)
    return replace(config, kubeconfig=named)


def resolve_ledger(config: LedgerConfig, world: World, place: Place) -> LedgerConfig:
    """``config`` with its address. Raises ``ConfigError`` as ``resolve_cluster`` does."""
    url = _secret(config, "url", world, place)
    if url is not None:
        at = place.at("url_env" if config.url_env else "url_file")
        if not url.reveal().startswith(("postgresql://", "postgres://")):
            raise at.error("expected a URL such as postgresql://host/database; it is not shown")
        return replace(config, url=url)
    file = _in_state(config.file, "ledger.db", world)
    return replace(config, url=Secret(f"sqlite:///{file}"))


def resolve_state(
    leadership: LeadershipConfig, web: WebConfig, ledger: LedgerConfig, world: World
) -> tuple[LeadershipConfig, WebConfig]:
    """Both with the absolute paths of what the daemon keeps beside its ledger."""
    beside = Path(ledger.file).parent if ledger.file else None

    def path(text: str, usual: str) -> Path:
        return _in_state(text or (str(beside / usual) if beside else ""), usual, world)

    return (
        replace(leadership, lock=path(leadership.file, "leader.lock")),
        replace(web, folder=path(web.reports, "reports")),
    )


def resolve_slack(config: SlackConfig, world: World, place: Place) -> SlackConfig:
    """``config`` with its token or webhook. Raises ``ConfigError`` as ``resolve_cluster`` does."""
    return replace(
        config,
        token=_secret(config, "token", world, place),
        webhook=_webhook(config, world, place),
    )


def _webhook(config: SlackConfig, world: World, place: Place) -> Secret | None:
    found = _secret(config, "webhook", world, place)
    if found is None:
        return None
    at = place.at("webhook_env" if config.webhook_env else "webhook_file")

    def read() -> str:
        url = found.reveal()
        if not is_http(url):
            raise at.error(
                "expected the https URL that Slack shows for the webhook; it is not shown"
            )
        return url

    read()
    return Secret(read, whole=True)


def resolve_sizing(config: SizingConfig, world: World, place: Place) -> SizingConfig:
    """``config`` with the parameters of its models. Raises ``ConfigError`` for a file that cannot
    be read or holds no JSON object."""
    models = tuple(
        _model(model, world, place.into("models", str(index)))
        for index, model in enumerate(config.models)
    )
    return replace(config, models=models)


def _model(config: ModelConfig, world: World, place: Place) -> ModelConfig:
    at, told = place.at("config"), f"the file {quoted(config.config)}"
    path = world.path(config.config)
    try:
        document = json.loads(_bytes(path, at, told))
    except (ValueError, RecursionError) as error:
        raise at.error(f"{told} is not JSON; expected a model's config.json") from error
    if not isinstance(document, dict):
        raise at.error(f"{told} holds no JSON object; expected a model's config.json")
    return replace(config, document=document)


def _in_state(text: str, usual: str, world: World) -> Path:
    """The absolute path of ``text``, else of a file in the usual folder for state."""
    state = Path(world.environ.get("XDG_STATE_HOME") or world.path("~/.local/state"))
    return (world.path(text) if text else state / "gpu-thrift" / usual).absolute()


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _secret(
    config: PrometheusConfig | LedgerConfig | SlackConfig, name: str, world: World, place: Place
) -> Secret | None:
    variable, file = getattr(config, f"{name}_env"), getattr(config, f"{name}_file")
    if variable:
        return _from_variable(variable, world, place.at(f"{name}_env"))
    if file:
        path, where, told = world.path(file), place.at(f"{name}_file"), _told_path(file)
        _from_file(path, where, told)
        return Secret(lambda: _from_file(path, where, told))
    return None


def _from_variable(variable: str, world: World, place: Place) -> Secret:
    sure = _SURELY_VARIABLE.fullmatch(variable)
    told = f"the environment variable {variable if sure else '(its name is not shown)'}"
    if variable not in world.environ:
        raise place.error(f"{told} is not set")
    return Secret(_checked(world.environ[variable], place, told))


def _from_file(path: Path, place: Place, told: str) -> str:
    try:
        text = _bytes(path, place, told).decode()
    except UnicodeDecodeError:
        raise place.error(f"{told} is not UTF-8 text") from None
    return _checked(text, place, told)


def _checked(value: str, place: Place, told: str) -> str:
    value = value.strip()
    if not value:
        raise place.error(f"{told} is empty")
    # A line break in a header would be sent as a header of its own; clients quote it in errors.
    allowed = value.isprintable() if "password" in place.key else _VISIBLE.fullmatch(value)
    if not allowed:
        raise place.error(f"{told} holds characters that a header cannot carry")
    return value


def _told_path(text: str) -> str:
    return f"the file {quoted(text) if _SURELY_PATH.fullmatch(text) else '(its name is not shown)'}"


def _file(text: str, world: World, place: Place) -> str:
    if not text:
        return ""
    path = world.path(text).absolute()
    _bytes(path, place, f"the file {quoted(text)}")
    return str(path)


def _bytes(path: Path, place: Place, told: str) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise place.error(f"{told} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise place.error(f"{told} cannot be read: no such file") from error
    return content
