"""Raw samples, and the text that promtool and VictoriaMetrics read them from.

A test keeps its samples as arrays, hands them to a real server through this text, and computes
what it expects from the arrays.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class RawSeries:
    """One series as scraped: ``times_s`` are Unix seconds, ascending, as long as ``values``."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    times_s: npt.ArrayLike = ()
    values: npt.ArrayLike = ()


def write(series: Iterable[RawSeries], path: Path) -> Path:
    """Write OpenMetrics text (times in seconds, ``# EOF`` at the end) for promtool.

    No family is given a type: "unknown" takes any name, also a counter's or one with a colon.
    """
    with path.open("w", encoding="utf-8", newline="\n") as out:
        out.writelines(_lines(series, decimals=3))
        out.write("# EOF\n")
    return path


def prometheus_text(series: Iterable[RawSeries]) -> str:
    """The same samples in Prometheus' older text format: times in whole milliseconds."""
    return "".join(_lines(series, decimals=0))


def selector(name: str, labels: Mapping[str, str]) -> str:
    """``name{label="value",...}`` with the three characters escaped that the format escapes."""
    pairs = ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items())
    return f"{name}{{{pairs}}}" if pairs else name


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _lines(series: Iterable[RawSeries], decimals: int) -> Iterator[str]:
    """One chunk of text a series, grouped by name: a family's samples have to stand together."""
    for one in sorted(series, key=lambda each: each.name):
        head = selector(one.name, one.labels)
        times_ms = np.round(np.asarray(one.times_s, dtype=np.float64) * 1000).astype(np.int64)
        values = np.asarray(one.values, dtype=np.float64)
        if times_ms.shape != values.shape:
            raise ValueError(f"{head}: {times_ms.size} times for {values.size} values")
        if decimals:
            stamps = [f"{ms // 1000}.{ms % 1000:03d}" for ms in times_ms.tolist()]
        else:
            stamps = [str(ms) for ms in times_ms.tolist()]
        yield "".join(
            f"{head} {_number(value)} {stamp}\n"
            for value, stamp in zip(values.tolist(), stamps, strict=True)
        )


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)
