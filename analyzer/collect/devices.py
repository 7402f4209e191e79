"""Reads GPU utilisation: one reading a GPU (or MIG instance) and set of labels, as 0-1."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

import numpy as np

from analyzer.collect.facts import DeviceReading
from analyzer.collect.profiles import (
    EXPORTERS,
    HOST_LABELS,
    IDENTITY,
    INDEX_LABELS,
    MODEL_LABELS,
    UUID_LABELS,
    Exporter,
    GpuMetric,
    first,
    named_pods,
)
from analyzer.collect.store import MetricStore, Query, Series
from analyzer.collect.together import together
from analyzer.model import Notice, StepArray, Window

_MOST = 1.05
"""A ratio may pass 1 by a rounding of the exporter; beyond this it is no utilisation."""

Label = tuple[tuple[str, str], ...]


def read_devices(
    store: MetricStore, names: frozenset[str], window: Window, cluster: str
) -> tuple[list[DeviceReading], list[Notice]]:
    """Every GPU that any known exporter speaks of, each from the most trusted one."""
    readings: list[DeviceReading] = []
    notices: list[Notice] = []
    for exporter in EXPORTERS:
        found: list[DeviceReading] = []
        for metric in exporter.metrics:
            if metric.name not in names or metric.instead_of in names:
                continue
            metric_readings, said = _read(store, exporter, metric, window)
            found += metric_readings
            notices += [Notice(cluster, code, text, metric.name) for code, text in said]
        if exporter.info in names:
            found = _with_models(store, exporter.info, found, window)
        readings += _unseen(found, readings)
    return _without_mig_parents(readings), notices


def _read(
    store: MetricStore, exporter: Exporter, metric: GpuMetric, window: Window
) -> tuple[list[DeviceReading], list[tuple[str, str]]]:
    mean = Query(metric.name, "avg", IDENTITY, "avg", metric.where)
    count = Query(metric.name, "count", IDENTITY, "max", metric.where)
    means, counts = together([partial(store.steps, query, window) for query in (mean, count)])
    samples = {_key(series): series.values for series in counts}
    scale, said = _scale(metric, means)
    readings = []
    odd = 0
    for series in means:
        values = series.values * np.float32(scale)
        held = np.nan_to_num(samples.get(_key(series), window.zeros()))
        cannot_be = (values < 0) | (values > _MOST)
        odd += bool(cannot_be.any())
        missing = np.isnan(values) | cannot_be
        values = np.where(missing, np.float32(np.nan), np.minimum(values, 1))
        readings.append(_reading(exporter, series, values, np.where(missing, 0, held)))
    if odd:
        text = (
            f"{metric.name}: {odd} series hold values that no GPU can have; they count as missing"
        )
        said.append(("impossible-value", text))
    return readings, said


def _key(series: Series) -> Label:
    return tuple(sorted(series.labels.items()))


def _scale(metric: GpuMetric, means: Iterable[Series]) -> tuple[float, list[tuple[str, str]]]:
    """The factor to 0-1. Values above 1 under a 0-1 name are percent; values that never pass 1
    under a name used for both are taken as 0-1, which can only hide a saving, never invent one."""
    highest = [_highest_possible(series.values) for series in means]
    busy = [value for value in highest if value > 0]
    # Most series have to agree, so that one odd sample does not rescale a fleet.
    if metric.scale == 1.0 and busy and float(np.median(busy)) > 2:
        return 0.01, [("unit", f"{metric.name} reaches {max(busy):.0f}: read as percent")]
    if metric.either_unit and busy and max(busy) <= 1.0:
        return 1.0, [("unit", f"{metric.name} never passes 1: read as a fraction, not as percent")]
    return metric.scale, []


def _highest_possible(values: StepArray) -> float:
    """The highest value that is at most a percentage; 0.0 when there is none."""
    known = values[(values >= 0) & (values <= 100 * _MOST)]
    return float(known.max()) if known.size else 0.0


def _reading(
    exporter: Exporter, series: Series, mean: StepArray, samples: StepArray
) -> DeviceReading:
    labels = series.labels
    hosts = tuple(dict.fromkeys(labels[key] for key in HOST_LABELS if labels.get(key)))
    uuid = first(labels, UUID_LABELS)
    index = first(labels, INDEX_LABELS)
    if uuid:
        device = uuid.lower().removeprefix("gpu-")
    elif index:
        device = f"{hosts[0] if hosts else ''}/{index}"
    else:
        device = ""
    return DeviceReading(
        exporter=exporter.name,
        uuid=device,
        mig_id=labels.get("GPU_I_ID", ""),
        mig_profile=labels.get("GPU_I_PROFILE", ""),
        gpu_model=first(labels, MODEL_LABELS),
        hosts=hosts,
        pods=named_pods(labels),
        names_pods=exporter.names_pods,
        mean=mean,
        samples=samples,
    )


def _with_models(
    store: MetricStore, info: str, readings: list[DeviceReading], window: Window
) -> list[DeviceReading]:
    query = Query(info, "last", (*UUID_LABELS, *MODEL_LABELS), "max")
    models = {
        first(sample.labels, UUID_LABELS).lower().removeprefix("gpu-"): first(
            sample.labels, MODEL_LABELS
        )
        for sample in store.whole(query, window)
    }
    return [replace(r, gpu_model=r.gpu_model or models.get(r.uuid, "")) for r in readings]


def _unseen(found: list[DeviceReading], known: list[DeviceReading]) -> list[DeviceReading]:
    """Those of ``found`` whose GPU and pods no earlier exporter speaks of."""
    uuids = {reading.uuid for reading in known if reading.uuid}
    pods = {pod for reading in known for pod in reading.pods[:1]}
    return [r for r in found if r.uuid not in uuids and not pods.intersection(r.pods[:1])]


def _without_mig_parents(readings: list[DeviceReading]) -> list[DeviceReading]:
    """A device is counted by its MIG instances alone while it is cut into them."""
    cut: dict[str, StepArray] = {}
    for reading in readings:
        if reading.mig_id:
            known = cut.get(reading.uuid)
            samples = reading.samples
            cut[reading.uuid] = samples if known is None else np.maximum(known, samples)
    kept = []
    for reading in readings:
        if not reading.mig_id and reading.uuid in cut:
            whole = cut[reading.uuid] <= 0
            if not (reading.samples[whole] > 0).any():
                continue
            reading = replace(  # noqa: PLW2901 - the same reading, less the steps it was cut in
                reading,
                mean=np.where(whole, reading.mean, np.float32(np.nan)),
                samples=np.where(whole, reading.samples, np.float32(0)),
            )
        kept.append(reading)
    return kept
