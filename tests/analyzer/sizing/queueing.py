"""Replicas of an inference server with a queue each, request by request.

A request takes room for all its tokens in the KV cache of one replica, waits in the order of
arrival until there is room, and leaves after the time that its tokens take. Nothing here knows of
the code under test: the metrics of a run are what Prometheus would have shown.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
STEP_S = 300
SCRAPE_S = 15


@dataclass(frozen=True)
class Server:
    """One replica: room for ``tokens``, seconds a prompt token and a generated token take."""

    tokens: float
    prompt_s: float = 1 / 8000
    token_s: float = 0.03


@dataclass(frozen=True, eq=False)
class Requests:
    """Arrivals in seconds, in order, and the tokens of each."""

    arrival_s: Floats
    prompt: Floats
    output: Floats

    @property
    def size(self) -> Floats:
        return self.prompt + self.output

    def service_s(self, server: Server) -> Floats:
        return self.prompt * server.prompt_s + self.output * server.token_s

    def between(self, start_s: float, end_s: float) -> Requests:
        inside = (self.arrival_s >= start_s) & (self.arrival_s < end_s)
        return Requests(self.arrival_s[inside] - start_s, self.prompt[inside], self.output[inside])


def arrivals(
    rates: Floats, means: tuple[Floats, Floats], window_s: float, seed: int, cv: float = 1.0
) -> Requests:
    """Requests at ``rates`` a second, one a window of ``window_s``; ``means`` are the tokens of
    prompts and outputs in each. Token counts are geometric, gaps have the variation ``cv``."""
    rng = np.random.default_rng(seed)
    expected = np.concatenate(([0.0], np.cumsum(np.nan_to_num(rates) * window_s)))
    total = expected[-1]
    shape = 1 / cv**2
    # A renewal process in the time in which the rate is one, then stretched to the clock.
    ticks = np.cumsum(rng.gamma(shape, 1 / shape, int(total + 10 * cv * total**0.5 + 10)))
    ticks = ticks[ticks < total]
    at = np.interp(ticks, expected + 1e-9 * np.arange(expected.size), np.arange(expected.size))
    window = np.minimum(at.astype(int), rates.size - 1)
    prompt, output = (rng.geometric(1 / np.maximum(mean[window], 1)) for mean in means)
    return Requests(at * window_s, prompt.astype(float), output.astype(float))


@dataclass(frozen=True, eq=False)
class Run:
    """What a run showed. Arrays hold one element a step: ``kv`` and ``kv_peak`` of the fullest
    replica (0-1) and ``kv_mean`` of all, ``lean`` the fullest of the run over all, ``running`` and
    ``waiting`` requests of all, ``queue`` the most that waited, ``generated`` tokens, ``finished``
    requests. ``waited_s`` is each request's time in the queue; ``minutes_kv`` the fullest
    replica's mean of each minute."""

    kv: Floats
    kv_peak: Floats
    kv_mean: Floats
    lean: float
    running: Floats
    waiting: Floats
    queue: Floats
    generated: Floats
    finished: Floats
    waited_s: Floats
    minutes_kv: Floats


def run(requests: Requests, server: Server, replicas: int, length_s: float) -> Run:
    """Plays ``requests``, each sent to the next replica in turn."""
    service = requests.service_s(server)
    turn = np.arange(requests.arrival_s.size) % replicas
    started = requests.arrival_s.copy()
    for one in range(replicas):
        mine = turn == one
        if _overflows(requests.arrival_s[mine], service[mine], requests.size[mine], server):
            started[mine] = _queue(
                requests.arrival_s[mine], service[mine], requests.size[mine], server
            )
    return _seen(requests, server, (started, started + service), turn, length_s)


def _overflows(at: Floats, service: Floats, size: Floats, server: Server) -> bool:
    """Whether anything would ever wait: until something does, a queue changes nothing."""
    when = np.concatenate((at, at + service))
    change = np.concatenate((size, -size))
    order = np.argsort(when, kind="stable")
    return bool(np.cumsum(change[order]).max(initial=0) > server.tokens)


def _queue(at: Floats, service: Floats, size: Floats, server: Server) -> Floats:
    """When each request starts, first come, first served."""
    started = np.empty_like(at)
    leaving: list[tuple[float, float]] = []
    queue: deque[int] = deque()
    used = 0.0
    arrival, stay, need = at.tolist(), service.tolist(), size.tolist()

    def admit(now: float) -> None:
        nonlocal used
        while queue and (used + need[queue[0]] <= server.tokens or not leaving):
            index = queue.popleft()
            started[index] = now
            used += need[index]
            heapq.heappush(leaving, (now + stay[index], need[index]))

    for index, now in enumerate(arrival):
        while leaving and leaving[0][0] <= now:
            gone, freed = heapq.heappop(leaving)
            used -= freed
            admit(gone)
        queue.append(index)
        admit(now)
    while queue:
        gone, freed = heapq.heappop(leaving)
        used -= freed
        admit(gone)
    return started


def _seen(
    requests: Requests,
    server: Server,
    spans: tuple[Floats, Floats],
    turn: npt.NDArray[np.int_],
    length_s: float,
) -> Run:
    started, left = spans
    scrapes = np.arange(0, length_s, SCRAPE_S) + SCRAPE_S * 0.5
    steps = int(length_s // STEP_S)
    per_step = STEP_S // SCRAPE_S

    def level(up: Floats, down: Floats, weight: Floats | None = None) -> Floats:
        """What is between ``up`` and ``down`` at each scrape."""
        if weight is None:
            up_at, down_at = np.sort(up), np.sort(down)
            return (
                np.searchsorted(up_at, scrapes, "right")
                - np.searchsorted(down_at, scrapes, "right")
            ).astype(float)
        totals = []
        for moments in (up, down):
            order = np.argsort(moments)
            sums = np.concatenate(([0.0], np.cumsum(weight[order])))
            totals.append(sums[np.searchsorted(moments[order], scrapes, "right")])
        return totals[0] - totals[1]

    kv, running, waiting = [], np.zeros(scrapes.size), np.zeros(scrapes.size)
    for one in range(int(turn.max(initial=0)) + 1):
        mine = turn == one
        kv.append(level(started[mine], left[mine], requests.size[mine]) / server.tokens)
        running += level(started[mine], left[mine])
        waiting += level(requests.arrival_s[mine], started[mine])
    by_replica = np.clip(np.array(kv), 0, 1).reshape(len(kv), steps, per_step)
    fold = (steps, per_step)
    done = np.minimum(left // STEP_S, steps).astype(int)
    return Run(
        kv=by_replica.mean(axis=2).max(axis=0),
        kv_peak=by_replica.max(axis=(0, 2)),
        kv_mean=by_replica.mean(axis=(0, 2)),
        lean=float(by_replica.mean(axis=(1, 2)).max() / max(by_replica.mean(), 1e-9)),
        running=running.reshape(fold).mean(axis=1),
        waiting=waiting.reshape(fold).mean(axis=1),
        queue=waiting.reshape(fold).max(axis=1),
        generated=np.bincount(done, requests.output, steps + 1)[:steps],
        finished=np.bincount(done, minlength=steps + 1)[:steps].astype(float),
        waited_s=started - requests.arrival_s,
        minutes_kv=by_replica.reshape(len(kv), -1, 60 // SCRAPE_S).mean(axis=2).max(axis=0),
    )
