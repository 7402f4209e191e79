"""What advice on right-sizing needs before it is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from analyzer.config.kinds import Choice, Choices, Duration, Number, Text, Texts, Whole
from analyzer.config.reader import Many, One, Problem, Section, about

_FRACTION = Number(0, 1)
_PART = Number(0, 1, above=True)

RULES = (
    "add-replicas",
    "reduce-replicas",
    "smaller-gpu",
    "share-gpu",
    "use-spot",
    "sleep-overnight",
    "remove",
)
"""The rules, by the action that they advise."""

DATA_TYPES = ("auto", "float32", "float16", "bfloat16", "fp8", "int8", "int4")


@dataclass(frozen=True, slots=True)
class ReplicasConfig(Section):
    """When fewer replicas would do, and when more are needed."""

    kv_p95: float = field(
        default=0.8,
        metadata=about(_PART, "p95 of KV-cache use that the replayed load has to stay below."),
    )
    saturated_at: float = field(
        default=0.9, metadata=about(_PART, "KV-cache use above which a minute is saturated.")
    )
    saturated_share: float = field(
        default=0.001, metadata=about(_FRACTION, "Share of minutes that may be saturated.")
    )
    queue_share: float = field(
        default=0.001,
        metadata=about(
            _FRACTION,
            "Share of five-minute steps with a request waiting above which no replica is given up.",
        ),
    )
    certainty: float = field(
        default=0.98,
        metadata=about(
            Number(0, 0.999),
            "Probability with which nothing waits in as many days to come either, judged by how "
            "much the highest days differ; 0 replays only what was seen.",
        ),
    )
    busy: float = field(
        default=0.9,
        metadata=about(_PART, "Most GPU work (p95) where it grows with the tokens that are made."),
    )
    at_once: int = field(
        default=256,
        metadata=about(
            Whole(1, 1_000_000),
            "Requests that one replica runs at a time, where its arguments do not say.",
        ),
    )
    at_least: int = field(
        default=1, metadata=about(Whole(1, 10_000), "Fewest replicas that are ever advised.")
    )


@dataclass(frozen=True, slots=True)
class SmallerGpuConfig(Section):
    """When a smaller GPU would do."""

    gpus: tuple[str, ...] = field(
        default=(),
        metadata=about(
            Texts(), "GPUs that can be had, as in the catalogue; [] = all of the same maker."
        ),
    )
    kv_headroom: float = field(
        default=1.2,
        metadata=about(
            Number(1, 10), "Room for tokens that is left, as a multiple of the most seen at once."
        ),
    )
    itl_p95: timedelta = field(
        default=timedelta(0),
        metadata=about(
            Duration("0s", "1m", "50ms"),
            'Longest time between tokens that is accepted; "0s" = the p95 seen now.',
        ),
    )


@dataclass(frozen=True, slots=True)
class ShareGpuConfig(Section):
    """When small models may share one GPU."""

    peak: float = field(
        default=0.8,
        metadata=about(_PART, "Most GPU work at one time of all that share a GPU together."),
    )
    most: int = field(default=4, metadata=about(Whole(2, 16), "Most models on one GPU."))


@dataclass(frozen=True, slots=True)
class UseSpotConfig(Section):
    """Which may run on spot nodes."""

    environments: tuple[str, ...] = field(
        default=("development",),
        metadata=about(
            Choices(("development", "staging")), "Which may run on spot nodes. Production never."
        ),
    )


@dataclass(frozen=True, slots=True)
class SleepOvernightConfig(Section):
    """When a workload's own nights are long enough to sleep through."""

    environments: tuple[str, ...] = field(
        default=("development",),
        metadata=about(Choices(("development", "staging")), "Which may sleep. Production never."),
    )
    shortest: timedelta = field(
        default=timedelta(hours=6),
        metadata=about(Duration("1h", "20h", "6h"), "Shortest night that is worth sleeping."),
    )
    margin: timedelta = field(
        default=timedelta(minutes=30),
        metadata=about(
            Duration("0s", "4h", "30m"),
            "How long before the first and after the last use it stays awake.",
        ),
    )


@dataclass(frozen=True, slots=True)
class ModelConfig(Section):
    """What is known of one model, where its server does not tell."""

    name: str = field(
        metadata=about(Text(r".*\S.*", "model name"), "The model, as its server names it.")
    )
    config: str = field(
        metadata=about(Text(r".*\S.*", "path"), "Its config.json, as Hugging Face keeps it.")
    )
    weights: str = field(
        default="auto",
        metadata=about(
            Choice(DATA_TYPES), 'Data type of its weights; "auto" = its config.json\'s.'
        ),
    )
    document: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """The config.json, once loaded."""


@dataclass(frozen=True, slots=True)
class SizingConfig(Section):
    """Right-sizing: which rules advise, and on what evidence."""

    rules: tuple[str, ...] = field(
        default=RULES, metadata=about(Choices(RULES), "The rules that are asked.")
    )
    coverage_floor: float = field(
        default=0.9,
        metadata=about(_FRACTION, "Share of its time that must be measured; less is refused."),
    )
    min_history: timedelta = field(
        default=timedelta(days=7),
        metadata=about(
            Duration("5m", "90d", "7d"),
            "History that advice needs; with a shorter window none is given.",
        ),
    )
    replicas: ReplicasConfig = field(
        default_factory=ReplicasConfig,
        metadata=about(One(ReplicasConfig), "When fewer replicas would do, or more are needed."),
    )
    smaller_gpu: SmallerGpuConfig = field(
        default_factory=SmallerGpuConfig,
        metadata=about(One(SmallerGpuConfig), "When a smaller GPU would do."),
    )
    share_gpu: ShareGpuConfig = field(
        default_factory=ShareGpuConfig,
        metadata=about(One(ShareGpuConfig), "When small models may share one GPU."),
    )
    use_spot: UseSpotConfig = field(
        default_factory=UseSpotConfig,
        metadata=about(One(UseSpotConfig), "Which may run on spot nodes."),
    )
    sleep_overnight: SleepOvernightConfig = field(
        default_factory=SleepOvernightConfig,
        metadata=about(One(SleepOvernightConfig), "When nights are long enough to sleep through."),
    )
    models: tuple[ModelConfig, ...] = field(
        default=(),
        metadata=about(Many(ModelConfig), "Models whose parameters nothing else tells."),
    )

    def problem(self) -> Problem | None:
        seen: set[str] = set()
        for index, model in enumerate(self.models):
            if model.name in seen:
                message = f'"{model.name}" is described twice; names must be unique'
                return Problem("name", message, ("models", str(index)))
            seen.add(model.name)
        if self.replicas.kv_p95 > self.replicas.saturated_at:
            values = f"got {self.replicas.kv_p95:g} and {self.replicas.saturated_at:g}"
            return Problem("kv_p95", f"expected at most saturated_at, {values}", ("replicas",))
        return None
