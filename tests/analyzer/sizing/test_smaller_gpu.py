"""A smaller GPU: by memory, by bandwidth, by price; never by a name."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from analyzer.advice import Recommendation, Refusal
from analyzer.config.sizing import SmallerGpuConfig
from analyzer.model import Cache
from analyzer.pricing import Price, PriceBook, PriceRule
from analyzer.sizing.catalogue import CATALOGUE
from analyzer.sizing.memory import Setup
from analyzer.sizing.models import Known, Unknown
from analyzer.sizing.shapes import shape_of
from analyzer.sizing.smaller_gpu import smaller_gpu
from tests import builders
from tests.analyzer.sizing.loads import A100, case, served

SPAN = builders.window()


def known(name: str = "meta-llama/llama-3.1-8b-instruct", gpus: int = 1, **changes: Any) -> Known:
    shape = shape_of(CATALOGUE[name])
    assert not isinstance(shape, Unknown)
    fields: dict[str, Any] = {"longest": 8_192.0, "setup": Setup(tensor_parallel=gpus)}
    return Known(name, shape, source="catalogue", **(fields | changes))


def asked(
    config: SmallerGpuConfig | None = None,
    gpu: str = A100,
    gpus: int = 1,
    serving: dict[str, Any] | None = None,
    **changes: Any,
) -> Any:
    use = [
        builders.gpu_use(allocated=2.0 * gpus, work=0.2, node=builders.node_class(gpu), span=SPAN)
    ]
    told = {"cache": Cache(470_000.0), "itl_p95_s": 0.09} | (serving or {})
    changes.setdefault("model", known(gpus=gpus))
    of = case(served(SPAN, 2, **told), replicas=2, per_replica=float(gpus), use=use, **changes)
    return smaller_gpu(of, config or SmallerGpuConfig())


def advised(*args: Any, **changes: Any) -> Recommendation:
    found = asked(*args, **changes)
    assert isinstance(found, Recommendation), found
    return found


def refused(*args: Any, **changes: Any) -> Refusal:
    found = asked(*args, **changes)
    assert isinstance(found, Refusal), found
    return found


SMALL = {"kv_cache": 0.04, "kv_peak": 0.05, "kv_mean": 0.04}
"""5 % of 470,000 tokens are 23,500; a fifth more is 28,200. An L4 keeps 38,800:
22.49 GiB x 0.92, less 14.96 of weights and 1.0, by 128 KiB."""


def test_an_eight_billion_model_with_little_load_fits_an_l4() -> None:
    found = advised(serving=SMALL)
    assert (found.action, found.before, found.after) == ("smaller-gpu", A100, "L4")
    assert found.evidence["peak_kv_tokens"] == 23_500
    assert found.evidence["tokens_needed"] == 28_200
    assert found.evidence["tokens_fit"] == pytest.approx(38_800, rel=0.01)
    assert found.evidence["bandwidth_floor_ms"] == pytest.approx(67, rel=0.01)
    assert found.evidence["parameters_billion"] == pytest.approx(8.03, abs=0.001)
    assert found.saving.gpu_hours_per_week == pytest.approx(336)
    assert found.saving.worth_usd_per_month == pytest.approx(2 * 730 * (3.43 - 0.805))
    assert found.evidence["needs_gpu_hours_per_week"] == pytest.approx(336)


def test_what_is_seen_at_once_decides_not_the_mean() -> None:
    """10 % at once are 47,000 tokens, with room to spare 56,400: beyond an L4 and an A10G; an L40S
    keeps them."""
    found = advised(serving={"kv_cache": 0.04, "kv_peak": 0.1, "kv_mean": 0.04})
    assert found.after == "L40S"


def test_the_longest_request_has_to_fit_whatever_was_seen() -> None:
    assert advised(serving=SMALL, model=known(longest=131_072.0)).after == "L40S"


def test_a_gpu_that_fits_can_be_too_slow() -> None:
    """40 ms are accepted: an L4 needs 67, an A10G 33."""
    assert advised(serving=SMALL | {"itl_p95_s": 0.04}).after == "A10G"
    found = refused(serving=SMALL | {"itl_p95_s": 0.009})
    assert found.code == "nothing-smaller"
    assert "cannot give a token in less than" in found.reason


def test_a_configured_objective_goes_before_what_is_seen() -> None:
    strict = SmallerGpuConfig(itl_p95=timedelta(milliseconds=25))
    assert advised(strict, serving=SMALL).after == "L40S"


def test_who_takes_longer_stays_longer() -> None:
    """15 ms are seen and 100 accepted. On an L4 a token takes 67: each request stays 4.5 times as
    long, so that 126,000 tokens are kept at once. An L40S takes 23 ms and keeps 43,600."""
    loose = SmallerGpuConfig(itl_p95=timedelta(milliseconds=100))
    assert advised(loose, serving=SMALL | {"itl_p95_s": 0.015}).after == "L40S"


def test_only_gpus_that_can_be_had() -> None:
    assert advised(SmallerGpuConfig(gpus=("L40S", "A10G")), serving=SMALL).after == "A10G"
    assert refused(SmallerGpuConfig(gpus=("H200",)), serving=SMALL).code == "nothing-smaller"


def test_a_model_of_seventy_billion() -> None:
    """131.4 GiB of weights. On two A100s 41,900 tokens are left, on one nothing. In 8 bit two L40S
    have 44.99 x 0.92 - 32.85 - 1.5 = 7.04 GiB each, at 160 KiB a token: 46,100."""
    model = known("meta-llama/llama-3.1-70b-instruct", gpus=4)
    assert advised(gpus=4, model=model, serving=SMALL).after == "2 × A100 80GB"
    two = known("meta-llama/llama-3.1-70b-instruct", gpus=2)
    assert refused(gpus=2, model=two, serving=SMALL).code == "nothing-smaller"
    eight_bit = replace(two, setup=Setup("fp8", tensor_parallel=2))
    assert advised(gpus=2, model=eight_bit, serving=SMALL).after == "2 × L40S"


def test_a_slower_gpu_of_the_same_memory_is_smaller() -> None:
    """An H100 has 81,559 MiB, an A100 81,920, at half the price. 300,000 tokens fit no other."""
    wide = {"kv_cache": 0.5, "kv_peak": 0.53, "kv_mean": 0.5}
    assert advised(gpu="H100 SXM 80GB", serving=wide).after == "A100 80GB"


def test_a_mixture_is_not_what_its_name_says() -> None:
    """All 46.7 billion parameters are in memory: 86.98 GiB on two GPUs, of which none smaller than
    48 GB holds a half."""
    model = known("mistralai/mixtral-8x7b-v0.1", gpus=2)
    assert refused(gpus=2, model=model, serving=SMALL).code == "nothing-smaller"


def test_data_types_that_a_gpu_cannot_compute_with() -> None:
    model = known("meta-llama/llama-3.2-1b")
    assert advised(serving=SMALL, model=model).after == "L4"
    half = replace(model, setup=Setup("float16"))
    assert advised(serving=SMALL, model=half).after == "T4"


REFUSED: dict[str, dict[str, Any]] = {
    "model-unknown": {"model": Unknown("nobody knows it")},
    "gpu-unknown": {"gpu": "Prototype 9000"},
    "no-latency": {"serving": SMALL | {"itl_p95_s": None}},
    "queue": {"serving": SMALL | {"waiting": 2.0}},
    "preemptions": {"serving": SMALL | {"preemptions": 1.0}},
    "low-coverage": {"coverage": 0.5},
    "low-serving-coverage": {"serving": SMALL | {"heard": 0.5}},
}


@pytest.mark.parametrize("code", REFUSED)
def test_what_is_missing(code: str) -> None:
    assert refused(**REFUSED[code]).code == code


def test_the_cache_that_is_not_told_is_computed() -> None:
    """80 GiB x 0.92, less 14.96 and 1.0, by 128 KiB: 472,000 tokens, of which 5 % are 23,600."""
    found = advised(serving=SMALL | {"cache": Cache()})
    assert found.after == "L4"
    assert found.evidence["peak_kv_tokens"] == pytest.approx(23_600, rel=0.01)


def test_a_cache_that_the_formula_does_not_explain_lowers_confidence() -> None:
    light = {"kv_cache": 0.09, "kv_peak": 0.1, "kv_mean": 0.09}
    have = SmallerGpuConfig(gpus=("A10G",))
    sound = advised(have, gpu="L40S", serving=light | {"cache": Cache(208_000.0)})
    assert (sound.after, sound.confidence.level) == ("A10G", "medium")
    odd = advised(have, gpu="L40S", serving=light | {"cache": Cache(100_000.0)})
    assert odd.confidence.level == "low"
    assert any("what the formula gives" in reason for reason in odd.confidence.reasons)


def test_much_less_bandwidth_lowers_confidence() -> None:
    """From an A100 to an L4 it is 6.8 times less: 90 ms may be the server's own, or become 612."""
    found = advised(serving=SMALL)
    assert found.confidence.level == "low"
    assert any("up to 612 ms a token" in reason for reason in found.confidence.reasons)


def test_prices_of_different_vendors_are_not_compared_unless_configured() -> None:
    """The catalogue's H100 is AWS's, its H200 Hyperstack's: cheaper there, and larger anyway."""
    assert refused(gpu="L4", serving=SMALL).code == "nothing-smaller"
    rules = (PriceRule(Price(1.0, "our contract"), gpu=A100),)
    assert advised(serving=SMALL, prices=PriceBook(rules)).after == "L4"
    cheap = (PriceRule(Price(0.5, "our contract"), gpu=A100),)
    assert refused(serving=SMALL, prices=PriceBook(cheap)).code == "nothing-smaller"
