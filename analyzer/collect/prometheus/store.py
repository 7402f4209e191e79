"""The metric store behind Prometheus' HTTP API, and behind anything else that speaks it.

Sums are left to the server. What it finds too much is asked for in halves; answers are decoded
as they come, so that memory holds the results and a few answers.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any

from prometheus_api_client import PrometheusConnect
from urllib3 import Retry

from analyzer.collect.prometheus import promql
from analyzer.collect.prometheus.answers import Answered
from analyzer.collect.prometheus.decode import Decoder, Labels, Piece, names_of
from analyzer.collect.prometheus.halving import PATIENCE, Pieces, Whole, cost
from analyzer.collect.prometheus.transport import Endpoint, PrometheusSession
from analyzer.collect.store import Matcher, Query, Sample, Series
from analyzer.errors import SourceError
from analyzer.model import STEP_S, Notice, StepArray, Window

KNOWN = ("DCGM_", "nvidia_", "gpu_", "amd_", "vllm", "sglang", "nv_inference", "kube_")
"""Beginnings of the names that the readers know how to use."""

LONG_QUERY = 1500
"""Queries above this many characters go by POST: proxies cut URLs from 2 kB up."""

LOOKS = 48
"""How often in a window names are looked for where the server keeps its list of names closed."""

Progress = Callable[[int, int], None]


class PrometheusStore:
    """A ``MetricStore`` of one cluster. Close it, or use it as a context manager.

    ``labels`` are matched on every series (several clusters may share one server). Thread-safe:
    range queries of all threads together have at most ``concurrency`` requests under way and
    answers in memory. ``on_progress`` is told, from any thread, how many requests are done and
    how many are known of.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        cluster: str,
        labels: Mapping[str, str],
        *,
        concurrency: int = 4,
        chunk: timedelta = timedelta(days=1),
        on_progress: Progress | None = None,
    ) -> None:
        self._url = endpoint.url
        self._cluster = cluster
        self._extra = tuple(Matcher(name, value) for name, value in sorted(labels.items()))
        self._chunk_steps = max(1, int(chunk.total_seconds()) // STEP_S)
        self._lock = threading.Lock()
        self._notices: dict[Notice, None] = {}
        self._found: dict[tuple[str, Window], frozenset[str]] = {}
        self._on_progress = on_progress
        self._done = self._known = 0
        self._session = PrometheusSession(endpoint, self._remark, pool_size=concurrency + 1)
        # The client's own retries are off: they would hide the server's words.
        self._get, self._post = (
            PrometheusConnect(self._url, session=self._session, retry=Retry(0), method=method)
            for method in ("GET", "POST")
        )
        self._post_refused = False
        self._pool = ThreadPoolExecutor(concurrency, f"prometheus-{cluster}")

    def __enter__(self) -> PrometheusStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give up what has not been asked yet and drop the connections."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._session.close()

    def version(self) -> str:
        """The server's version, "" when it does not say."""
        try:
            answer = self._session.request("GET", f"{self._url}/api/v1/status/buildinfo")
        except SourceError:
            return ""
        data = answer.json()["data"]
        return str(data.get("version", "")) if isinstance(data, dict) else ""

    def warnings(self) -> list[Notice]:
        with self._lock:
            return list(self._notices)

    def names(self, window: Window) -> frozenset[str]:
        found = self._matching(f"({'|'.join(KNOWN)}).*", window)
        return frozenset(name for name in found if name.startswith(KNOWN))

    def steps(self, query: Query, window: Window) -> list[Series]:
        names = self._resolved(query, window)
        if not names:
            return []
        text = promql.render_names(query, names, STEP_S, self._extra)
        decoder = self._decoder(query)
        rows: dict[Labels, StepArray] = {}

        def read(piece: Piece) -> None:
            first = window.start.timestamp() + (piece.first + 1) * STEP_S
            last = first + (piece.count - 1) * STEP_S
            decoder.into(self._range(text, first, last), window, piece, rows)

        self._in_pool(Pieces(read), window.steps)
        return [Series(dict(labels), rows[labels]) for labels in sorted(rows)]

    def whole(self, query: Query, window: Window) -> list[Sample]:
        names = self._resolved(query, window)
        if not names:
            return []
        decoder = self._decoder(query)
        start_s, end_s = int(window.start.timestamp()), int(window.end.timestamp())
        text = promql.render_names(query, names, end_s - start_s, self._extra)

        def series(function: str, start_s: int, end_s: int) -> dict[Labels, float]:
            part = promql.fold_names(function, query, names, end_s - start_s, self._extra)
            return decoder.vector(self._instant(part, end_s))

        self._count(known=1)
        try:
            found = decoder.vector(self._instant(text, end_s))
        except SourceError as error:
            price = cost(error)
            if price is None or end_s - start_s <= STEP_S:
                raise
            found = Whole(query, series).merged(start_s, end_s, PATIENCE - price)
        self._count(done=1)
        return [Sample(dict(labels), found[labels]) for labels in sorted(found)]

    def _in_pool(self, pieces: Pieces, steps: int) -> None:
        """Fetch all steps, ``chunk`` at a time; after an error the rest is not asked for."""
        size = self._chunk_steps
        parts = [Piece(first, min(size, steps - first)) for first in range(0, steps, size)]
        self._count(known=len(parts))

        def fetch(part: Piece) -> None:
            pieces.fetch(part)
            self._count(done=1)

        futures = [self._pool.submit(fetch, part) for part in parts]
        try:
            finished, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in finished:
                future.result()
        finally:
            for future in futures:
                future.cancel()
            wait(futures)

    def _resolved(self, query: Query, window: Window) -> Sequence[str]:
        """The names that a query's metric stands for, in order; one that is no regex is its own."""
        if not query.metric.startswith("~"):
            return (query.metric,)
        pattern = query.metric[1:]
        return sorted(filter(re.compile(pattern).fullmatch, self._matching(pattern, window)))

    def _matching(self, pattern: str, window: Window) -> frozenset[str]:
        """Names that match, asked for once a window; a server may answer with others too."""
        key = (pattern, window)
        with self._lock:
            known = self._found.get(key)
        if known is None:
            known = self._listed(promql.selector("~" + pattern, self._extra), window)
            with self._lock:
                self._found[key] = known
        return known

    def _listed(self, selector: str, window: Window) -> frozenset[str]:
        start, end = int(window.start.timestamp()), int(window.end.timestamp())
        try:
            listed = self._get.get_label_values(
                "__name__", params={"match[]": selector, "start": start, "end": end}
            )
        except Answered as error:
            if error.status not in {403, 404, 405}:
                raise
            # Some proxies let queries through and nothing else.
            step = max(STEP_S, (end - start) // LOOKS)
            text = f"group by (__name__) ({selector})"
            results = self._asked(text, "custom_query_range", *_times(start, end), str(step))
            listed = names_of(self._url, results)
        return frozenset(listed)

    def _range(self, text: str, first: float, last: float) -> list[dict[str, Any]]:
        return self._asked(text, "custom_query_range", *_times(first, last), str(STEP_S))

    def _instant(self, text: str, at_s: int) -> list[dict[str, Any]]:
        # VictoriaMetrics moves a time of the last 30 s into the past unless told nocache=1.
        return self._asked(text, "custom_query", {"time": at_s, "nocache": 1})

    def _asked(self, text: str, call: str, *args: Any) -> list[dict[str, Any]]:
        """Ask by GET, or by POST when the query is long and POST has not been refused before."""
        if len(text) > LONG_QUERY and not self._post_refused:
            try:
                results: list[dict[str, Any]] = getattr(self._post, call)(text, *args)
            except Answered as error:
                if error.status != 405:
                    raise
                self._post_refused = True
            else:
                return results
        answered: list[dict[str, Any]] = getattr(self._get, call)(text, *args)
        return answered

    def _decoder(self, query: Query) -> Decoder:
        metric = query.metric.removeprefix("~")

        def report(code: str, message: str) -> None:
            self._notice(code, message, metric)

        return Decoder(self._url, metric, report)

    def _remark(self, kind: str, text: str) -> None:
        self._notice(f"prometheus-{kind}", text)

    def _notice(self, code: str, message: str, subject: str = "") -> None:
        with self._lock:
            self._notices.setdefault(Notice(self._cluster, code, message, subject))

    def _count(self, known: int = 0, done: int = 0) -> None:
        with self._lock:
            self._known += known
            self._done += done
            now = self._done, self._known
        if self._on_progress is not None:
            self._on_progress(*now)


def _times(first: float, last: float) -> tuple[datetime, datetime]:
    return datetime.fromtimestamp(first, UTC), datetime.fromtimestamp(last, UTC)
