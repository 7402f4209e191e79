"""The daemon's web server: probes, metrics, a status page and the reports. It only reads.

What it shows comes from clusters, so every name is text and nothing else, and a page may load
nothing at all.
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import nlargest
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.utils import redirect, send_file
from werkzeug.wrappers import Request, Response

from jobs.listen import HEADERS, NOTHING, WebServer
from jobs.metrics import Metrics
from reports.links import PAGE
from reports.templating import environment
from reports.text import hours, money, visible

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["Check", "ClusterLine", "JobLine", "Page", "Vitals", "WebServer", "application"]

LOG = logging.getLogger("gpu_thrift")

LISTED = 500
"""Reports that the index names, the newest."""

TYPES = {
    ".html": "text/html",
    ".json": "application/json",
    ".csv": "text/csv",
    ".md": "text/markdown",
    ".png": "image/png",
}
HASH = re.compile(rb"\b(style|script)-src ('sha256-[A-Za-z0-9+/]{43}=')")
HEAD = 2048
"""Bytes of a report within which its own policy stands."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that is looked at; ``says`` is one line."""

    name: str
    ok: bool
    says: str


@dataclass(frozen=True, slots=True)
class JobLine:
    """A job of the status page."""

    name: str
    schedule: str
    last: str
    last_outcome: str
    next_due: str
    says: str


@dataclass(frozen=True, slots=True)
class ClusterLine:
    """A cluster of the status page; what is saved is of the last seven days. The dollars are those
    of all hours but ``unpriced_gpu_hours``."""

    name: str
    asleep: int
    gpus: float
    saved_gpu_hours: float | None
    saved_usd: float | None
    problems: tuple[str, ...] = ()
    unpriced_gpu_hours: float = 0.0

    @property
    def saved(self) -> str:
        """The dollars as text; what has no price is not worth nothing."""
        if self.saved_usd is None or not self.unpriced_gpu_hours:
            return money(self.saved_usd)
        return f"at least {money(self.saved_usd)}" if self.saved_usd else "no price known"


@dataclass(frozen=True, slots=True)
class Page:
    """The status page. ``reports`` are paths below the folder of reports, newest first."""

    version: str
    role: str
    holder: str
    started: str
    checks: tuple[Check, ...]
    jobs: tuple[JobLine, ...]
    clusters: tuple[ClusterLine, ...]
    reports: tuple[str, ...]


class Vitals(Protocol):
    """What the daemon knows of itself; asked from several threads."""

    def alive(self) -> Sequence[Check]:
        """Whether the process should go on; one that is not ok has it started anew."""

    def ready(self) -> Sequence[Check]:
        """Whether it can do its work now."""

    def page(self) -> Page:
        """All there is to see."""


def application(vitals: Vitals, metrics: Metrics, reports: Path | None) -> WSGIApplication:
    """Answers GET and HEAD. ``reports`` is the folder that is served, None for none."""
    pages = environment("jobs")
    pages.filters |= {"hours": hours, "money": money}
    pages.filters["urlpath"] = lambda name: quote(name, errors="replace")
    template = pages.get_template("status.html")

    def html(**shown: object) -> Response:
        nonce = secrets.token_urlsafe(16)
        answer = Response(template.render(nonce=nonce, **shown), mimetype="text/html")
        answer.headers["Content-Security-Policy"] = f"{NOTHING}; style-src 'nonce-{nonce}'"
        return answer

    def counts(request: Request) -> Response:
        kind, text = metrics.render(request.headers.get("Accept", ""))
        return Response(text, content_type=kind)

    def index(_: Request) -> Response:
        if reports is None:
            raise NotFound
        return html(page=None, files=_newest(reports))

    endpoints: dict[str, Callable[..., Response]] = {
        "/healthz": lambda request: _checks(request, vitals.alive()),
        "/readyz": lambda request: _checks(request, vitals.ready()),
        "/metrics": counts,
        "/": lambda _: html(page=vitals.page(), files=()),
        "/reports": lambda _: redirect("reports/", 308),
        "/reports/": index,
        "/reports/<path:name>": lambda request, name: _report(request, reports, name),
    }
    rules = [Rule(path, endpoint=path, methods=["GET"]) for path in endpoints]
    paths = Map(rules, merge_slashes=False).bind("localhost")

    def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        try:
            endpoint, values = paths.match(request.path, request.method)
            response = endpoints[endpoint](request, **values)
        except HTTPException as error:
            response = Response(f"{error.code} {error.name}\n", error.code, mimetype="text/plain")
            if error.code == 405:
                response.headers["Allow"] = "GET, HEAD"
        except Exception as error:
            LOG.exception("%s failed: %s", visible(request.path), visible(repr(error)))
            response = Response("500 Internal Server Error\n", 500, mimetype="text/plain")
        policy = response.headers.get("Content-Security-Policy", NOTHING)
        response.headers.update({**HEADERS, "Content-Security-Policy": policy})
        return response(environ, start)

    return answer


def _checks(request: Request, checks: Sequence[Check]) -> Response:
    status = 200 if all(check.ok for check in checks) else 503
    kinds = ["text/plain", "application/json"]
    if request.accept_mimetypes.best_match(kinds) == "application/json":
        told = [{"name": check.name, "ok": check.ok, "says": check.says} for check in checks]
        text = json.dumps({"ok": status == 200, "checks": told})
        return Response(text + "\n", status, mimetype="application/json")
    lines = (f"{'ok' if check.ok else '!!'} {check.name}: {check.says}" for check in checks)
    return Response("".join(f"{visible(line)}\n" for line in lines), status, mimetype="text/plain")


def _report(request: Request, reports: Path | None, name: str) -> Response:
    if reports is None:
        raise NotFound
    found = _served(reports, name)
    if found is None:
        # A folder is opened at its page. The address is relative: a proxy may serve all of this
        # below a path of its own.
        folder = name.rstrip("/")
        if _served(reports, f"{folder}/{PAGE}") is None:
            raise NotFound
        last = folder.rpartition("/")[2]
        return redirect(PAGE if name.endswith("/") else f"{quote(last)}/{PAGE}")
    kind = TYPES[found.suffix]
    answer = send_file(found, request.environ, kind, conditional=False, etag=False)
    if kind == "text/html":
        answer.headers["Content-Security-Policy"] = _policy(found)
    return answer


def _policy(page: Path) -> str:
    """What a page may run is what it names by hash, as every page of ours does in its own policy.
    Ours differ from version to version: those of this one would leave older reports bare. A page
    that names nothing runs nothing."""
    with page.open("rb") as file:
        named = dict(HASH.findall(file.read(HEAD)))
    allowed = "".join(f"; {kind.decode()}-src {hash_.decode()}" for kind, hash_ in named.items())
    return f"{NOTHING}; img-src data:{allowed}"


def _served(reports: Path, name: str) -> Path | None:
    """The file of that name, where it may be seen. A link counts as what it leads to."""
    if not _fit(name):
        return None
    try:
        root = reports.resolve(strict=True)
        found = (root / name).resolve(strict=True)
        fit = found.is_relative_to(root) and _fit(found.relative_to(root).as_posix())
        return found if fit and found.is_file() else None
    except (OSError, RuntimeError):
        # Not there, or links that lead in a circle.
        return None


def _fit(name: str) -> bool:
    # An absolute path begins with an empty part, and ".." with a dot. What cannot be printed has
    # NUL in it, or bytes that are no text.
    hidden = any(not part or part.startswith(".") for part in name.split("/"))
    return name.isprintable() and not hidden and PurePath(name).suffix in TYPES


def _newest(reports: Path) -> list[dict[str, str]]:
    return [
        {
            "name": name,
            "when": datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d %H:%M UTC"),
            "size": f"{size / 1024:,.0f} KiB" if size >= 1024 else f"{size} bytes",
        }
        for when, name, size in nlargest(LISTED, _files(reports))
    ]


def _files(reports: Path) -> Iterator[tuple[float, str, int]]:
    for folder, folders, files in os.walk(reports):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for file in files:
            name = (Path(folder) / file).relative_to(reports).as_posix()
            try:
                if found := _served(reports, name):
                    facts = found.stat()
                    yield facts.st_mtime, name, facts.st_size
            except OSError:
                # It went away meanwhile.
                continue
