"""Finds, reads and checks the configuration file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from analyzer.config.leaks import refuse_secrets
from analyzer.config.place import Place
from analyzer.config.reader import read_section
from analyzer.config.resolve import (
    World,
    resolve_cluster,
    resolve_ledger,
    resolve_sizing,
    resolve_slack,
    resolve_state,
)
from analyzer.config.sections import Config
from analyzer.errors import ConfigError

VARIABLE = "GPU_THRIFT_CONFIG"
"""Environment variable that names the file when no option does."""

_USUAL = Path("config.toml")
_MAX_BYTES = 1_048_576
_BOM = b"\xef\xbb\xbf"
_POSITION = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """The configuration of ``path``, or of ``GPU_THRIFT_CONFIG``, or of ``./config.toml`` when
    there is one, or the defaults.

    Raises ``ConfigError``, one line, for anything that cannot be used.
    """
    place = Place("" if path is None else str(path))
    if path is None and environ.get(VARIABLE):
        path = Path(environ[VARIABLE])
        place = Place(f"{path} (named by {VARIABLE})")
    if path is None and _is_there(_USUAL):
        path, place = _USUAL, Place(str(_USUAL))
    if path is None:
        return _resolved(Config(), environ, Place("defaults"))
    text = _text(path, place)
    place = Place(str(path))
    document = _document(text, place)
    refuse_secrets(document, place)
    config = read_section(Config, document, place)
    return _resolved(replace(config, path=path), environ, place)


def _resolved(config: Config, environ: Mapping[str, str], place: Place) -> Config:
    world = World(environ, config.path.parent if config.path else Path())
    clusters = tuple(
        resolve_cluster(cluster, world, place.into("clusters", str(index)))
        for index, cluster in enumerate(config.clusters)
    )
    ledger = resolve_ledger(config.ledger, world, place.into("ledger"))
    leadership, web = resolve_state(config.leadership, config.web, config.ledger, world)
    return replace(
        config,
        clusters=clusters,
        ledger=ledger,
        leadership=leadership,
        web=web,
        slack=resolve_slack(config.slack, world, place.into("slack")),
        sizing=resolve_sizing(config.sizing, world, place.into("sizing")),
    )


def _is_there(path: Path) -> bool:
    try:
        # A broken link is somebody's mistake; the defaults would hide it.
        return path.exists() or path.is_symlink()
    except OSError:
        return True


def _text(path: Path, place: Place) -> str:
    try:
        with path.open("rb") as file:
            # Bounded, because a path such as /dev/zero never ends.
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise place.error(f"cannot read the configuration file: {error.strerror}") from error
    except ValueError as error:
        raise place.error("cannot read the configuration file: no such file") from error
    if len(content) > _MAX_BYTES:
        raise place.error("expected a configuration file of at most 1 MiB")
    if content.startswith(_BOM):
        raise place.error("starts with a byte order mark; save it as UTF-8 without one")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise place.error(f"line {line}: not UTF-8 text; save the file as UTF-8") from error


def _document(text: str, place: Place) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _not_toml(text, place, str(error)) from error
    except RecursionError as error:
        raise place.error("not valid TOML: nested too deeply") from error
    except ValueError as error:
        # tomllib lets Python's refusal of numbers with thousands of digits through.
        raise place.error("not valid TOML: a number is too long") from error


def _not_toml(text: str, place: Place, message: str) -> ConfigError:
    found = _POSITION.search(message)
    line, column = found.groups() if found else (None, None)
    if line is None:
        lines = text.split("\n")
        line, column = str(len(lines)), str(len(lines[-1]) + 1)
    reason = _POSITION.sub("", message)
    return place.error(f"line {line}, column {column}: not valid TOML: {reason}")
