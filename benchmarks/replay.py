"""The bare requests behind an analysis: recorded once, then asked again with nothing around them.

    python -m benchmarks.replay record URL FILE
    python -m benchmarks.replay run FILE

What is recorded is what went over the wire, headers included. A replay keeps its connections
open, asks as many at once as the analysis may and in any order, reads every body and throws it
away: no parsing, no unpacking, no waiting for what one answer says about the next question. It
prints its wall time in seconds.
"""

from __future__ import annotations

import argparse
import http.client
import json
import threading
import time
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import urlsplit


def record(url: str, path: Path, window: str) -> None:
    """Run an analysis in this process and write down every request it sends."""
    import requests

    from analyzer.config import PrometheusConfig
    from jobs.cli import cli

    sent: list[dict[str, Any]] = []
    send = requests.Session.send

    def noted(
        self: requests.Session, request: requests.PreparedRequest, **kwargs: Any
    ) -> requests.Response:
        body = request.body.decode() if isinstance(request.body, bytes) else request.body
        sent.append({"method": request.method, "url": request.url, "body": body,
                     "headers": dict(request.headers)})  # fmt: skip
        return send(self, request, **kwargs)

    requests.Session.send = noted  # type: ignore[method-assign]
    given = ["analyze", "--prometheus", url, "--no-cluster", "--window", window]
    cli.main([*given, "--format", "json", "-o", f"{path}.analysis"], standalone_mode=False)
    concurrency = PrometheusConfig().concurrency
    path.write_text(json.dumps({"concurrency": concurrency, "requests": sent}), encoding="utf-8")


def run(requests: list[dict[str, Any]], concurrency: int) -> float:
    """Seconds that the requests take, ``concurrency`` of them at a time."""
    waiting: SimpleQueue[dict[str, Any]] = SimpleQueue()
    for one in requests:
        waiting.put(one)
    failed: list[str] = []

    def work() -> None:
        connection = http.client.HTTPConnection(urlsplit(requests[0]["url"]).netloc)
        while True:
            try:
                one = waiting.get_nowait()
            except Empty:
                break
            target = urlsplit(one["url"])
            path = f"{target.path}?{target.query}" if target.query else target.path
            connection.request(one["method"], path, one["body"], one["headers"])
            answer = connection.getresponse()
            if answer.status != 200:
                failed.append(f"{answer.status} to {one['method']} {path[:200]}")
            while answer.read(1 << 18):
                pass
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(concurrency)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took_s = time.perf_counter() - began
    if failed:
        raise SystemExit(f"the replay was refused: {failed[0]}")
    return took_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    actions = parser.add_subparsers(dest="action", required=True)
    recorder = actions.add_parser("record")
    recorder.add_argument("url")
    recorder.add_argument("file", type=Path)
    recorder.add_argument("--window", default="7d")
    runner = actions.add_parser("run")
    runner.add_argument("file", type=Path)
    runner.add_argument("--at-once", type=int, default=0, help="requests at a time")
    given = parser.parse_args()
    if given.action == "record":
        record(given.url, given.file, given.window)
    else:
        recorded = json.loads(given.file.read_text(encoding="utf-8"))
        print(run(recorded["requests"], given.at_once or recorded["concurrency"]))


if __name__ == "__main__":
    main()
