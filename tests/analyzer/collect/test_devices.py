"""GPU utilisation as 0-1, whoever exports it and whatever the labels are called."""

from __future__ import annotations

import numpy as np
import pytest

from analyzer.collect.devices import read_devices
from analyzer.collect.facts import DeviceReading
from analyzer.collect.simulate import RawSeries
from tests.analyzer.collect.hand import HOUR, raw, store

GPU = {"UUID": "GPU-AA", "gpu": "0", "Hostname": "n1", "modelName": "NVIDIA L4"}


def read(*series: RawSeries) -> tuple[list[DeviceReading], list[str]]:
    held = store(*series)
    readings, notices = read_devices(held, held.names(HOUR), HOUR, "main")
    return readings, [notice.code for notice in notices]


@pytest.mark.parametrize(
    ("name", "value", "mean", "codes"),
    [
        ("DCGM_FI_DEV_GPU_UTIL", 40.0, 0.4, []),
        ("DCGM_FI_PROF_GR_ENGINE_ACTIVE", 0.4, 0.4, []),
        ("gpu_gfx_activity", 40.0, 0.4, []),
        ("nvidia_smi_utilization_gpu_ratio", 0.4, 0.4, []),
        ("nvidia_smi_utilization_gpu_ratio", 40.0, 0.4, ["unit"]),
        ("nvidia_gpu_utilization", 40.0, 0.4, []),
        ("nvidia_gpu_utilization", 0.4, 0.4, ["unit"]),
    ],
)
def test_every_scale_is_converted_once(
    name: str, value: float, mean: float, codes: list[str]
) -> None:
    (found,), said = read(raw(name, GPU, value))
    assert found.mean.tolist() == pytest.approx([mean] * 12)
    assert found.samples.tolist() == [5.0] * 12
    assert said == codes


@pytest.mark.parametrize("value", [250.0, -5.0, 9223372036854775794.0])
def test_what_no_gpu_can_have_is_no_sample(value: float) -> None:
    (found,), said = read(raw("DCGM_FI_DEV_GPU_UTIL", GPU, value))
    assert found.samples.tolist() == [0.0] * 12
    assert said == ["impossible-value"]


def test_one_odd_sample_does_not_rescale_a_fleet() -> None:
    other = GPU | {"UUID": "GPU-other"}
    found, said = read(
        raw("DCGM_FI_PROF_GR_ENGINE_ACTIVE", GPU, 0.7),
        raw("DCGM_FI_PROF_GR_ENGINE_ACTIVE", other, lambda s: 2**63 if s == 1800 else 0.7),
    )
    for reading in found:
        assert np.nanmean(reading.mean) == pytest.approx(0.7)
    # The one step that holds the odd sample is missing: 11 of 12 are left.
    assert sorted(int((reading.samples > 0).sum()) for reading in found) == [11, 12]
    assert said == ["impossible-value"]


def test_a_gpu_cut_in_mid_window_is_counted_whole_before() -> None:
    cut = GPU | {"GPU_I_ID": "1", "GPU_I_PROFILE": "1g.10gb"}
    found, _ = read(
        raw("DCGM_FI_DEV_GPU_UTIL", GPU, lambda s: 80.0),
        raw("DCGM_FI_PROF_GR_ENGINE_ACTIVE", cut, lambda s: 0.1 if s > 1800 else float("nan")),
    )
    whole = next(reading for reading in found if not reading.mig_id)
    assert whole.samples.tolist() == [5.0] * 6 + [0.0] * 6


def test_nan_is_no_sample() -> None:
    (found,), _ = read(
        raw("DCGM_FI_DEV_GPU_UTIL", GPU, lambda s: float("nan") if s <= 1800 else 50.0)
    )
    assert found.samples.tolist() == [0.0] * 6 + [5.0] * 6


def test_a_gpu_that_two_exporters_show_is_read_from_the_more_trusted() -> None:
    (found,), _ = read(
        raw("DCGM_FI_DEV_GPU_UTIL", GPU, 40.0),
        raw("nvidia_smi_utilization_gpu_ratio", {"uuid": "aa"}, 0.9),
    )
    assert found.exporter == "dcgm-exporter"


def test_a_device_cut_into_instances_is_counted_by_them_alone() -> None:
    cut = GPU | {"GPU_I_ID": "1", "GPU_I_PROFILE": "1g.10gb"}
    (found,), _ = read(
        raw("DCGM_FI_DEV_GPU_UTIL", GPU, 40.0), raw("DCGM_FI_PROF_GR_ENGINE_ACTIVE", cut, 0.2)
    )
    assert found.mig_profile == "1g.10gb"


def test_the_workload_goes_before_the_exporters_own_pod() -> None:
    labels = {"exported_pod": "a", "exported_namespace": "ml", "pod": "dcgm", "namespace": "ops"}
    (found,), _ = read(raw("DCGM_FI_DEV_GPU_UTIL", GPU | labels, 40.0))
    assert found.pods == (("ml", "a"), ("ops", "dcgm"))
