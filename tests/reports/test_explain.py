"""The story of one workload as text."""

from __future__ import annotations

import io
import unicodedata

import pytest
from rich.cells import cell_len
from rich.console import Console

from analyzer.advice import Advice, Refusal, Saving
from analyzer.analysis import Analysis
from analyzer.sizing.story import Story, empty
from reports.explain import explain, parts
from tests import golden
from tests.builders import analysis, recommendation, unknown_use, workload_use
from tests.reports import advised
from tests.reports.fleets import ANSI, LONG, MARKUP, REVERSED
from tests.reports.stories import story


def shown(told: Story, whole: Analysis | None = None, width: int | None = None) -> str:
    out = io.StringIO()
    if width is None:
        console = Console(file=out, width=10_000, force_terminal=False, _environ={})
    else:
        console = Console(
            file=out, width=width, height=50, force_terminal=True, color_system=None, _environ={}
        )
    explain(told, whole or analysis(told.use), console)
    return "\n".join(line.rstrip() for line in out.getvalue().split("\n"))


def lines(told: Story, title: str) -> tuple[str, ...]:
    return next(part.lines for part in parts(told) if part.title.startswith(title))


@pytest.mark.parametrize(("suffix", "width"), [("80.txt", 80), ("pipe.txt", None)])
def test_it_is_as_agreed(suffix, width):
    golden.check(f"explain/chat.{suffix}", shown(story(), advised.mixed(), width))


@pytest.mark.parametrize("width", [72, 80, 120])
@pytest.mark.parametrize("name", ["chat-70b", LONG, ANSI, REVERSED, MARKUP])
def test_no_line_but_the_name_is_wider_than_the_screen_and_nothing_steers_it(width, name):
    use = workload_use(
        name,
        model=name,
        advice=Advice((recommendation(reason=name, replay=advised.REPLAY),)),
    )
    text = shown(story(use), width=width)
    assert all(cell_len(line) <= width for line in text.split("\n")[1:])
    bad = {c for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl")}
    assert bad == set()


def test_a_pipe_has_each_line_whole():
    assert "  3 would have carried 160 h of load; 2 would not: p95 of KV-cache use 82%.\n" in shown(
        story()
    )


def test_the_plan_comes_first_whatever_the_order():
    later = recommendation(action="remove", after=0)
    use = workload_use(advice=Advice((recommendation(plan=False, after=5), later)))
    titles = [part.title for part in parts(story(use))]
    assert titles.index("Recommendation: remove 8 → 0 (the plan)") < titles.index(
        "Recommendation: reduce-replicas 8 → 5 (an alternative, not in the totals)"
    )


def test_what_people_withhold_says_so():
    one = recommendation(plan=False, withheld="snoozed until 2026-12-24 00:00 UTC")
    titles = [part.title for part in parts(story(workload_use(advice=Advice((one,)))))]
    assert (
        "Recommendation: reduce-replicas 8 → 4"
        " (snoozed until 2026-12-24 00:00 UTC, not in the totals)"
    ) in titles


def test_without_the_kubernetes_api_the_bill_is_not_known_and_why():
    use = workload_use(advice=Advice((recommendation(saving=Saving(336, 1175.3)),)))
    found = lines(story(use), "Recommendation")
    assert "GPU-hours: frees 336 GPU-h a week, worth $1,175 a month" in found
    assert "bill: how much the bill falls is not known: the Kubernetes API was not read" in found


def test_a_refusal_shows_the_replay_that_was_not_good_enough():
    use = advised.refused().workloads[2]
    found = lines(story(use), "Not advised")
    assert found[0] == "reduce-replicas (needed): With 3: 900 requests would wait."
    assert found[-2].split() == ["2", "82%", "127%", "214", "35", "1,833", "62%", "55", "ms", "no"]
    assert found[-1] == "- 2: p95 of KV-cache use 82%, to be below 80%"


def test_where_nothing_is_known_it_says_so_and_never_zero():
    use = unknown_use(model=None, team=None, gpu_model=None, replicas=None, exists=False)
    told = empty(use, analysis().window)
    text = shown(told)
    assert "replicas: ?, 4 GPUs each; it is not there any more" in text
    assert "GPU work: not measured" in text
    assert "no inference server was heard" in text
    assert "None: no rule was asked." in text
    assert "Thresholds" not in text


def test_refusals_alone_are_no_advice():
    use = workload_use(advice=Advice((), (Refusal("remove", "used", "it has work"),)))
    assert lines(story(use), "Recommendation") == ("None: no rule advises anything.",)


def test_evidence_and_thresholds_are_named_and_what_is_not_known_is_a_question_mark():
    facts = {"a": None, "b": float("nan"), "c": True, "d": 16_000_000_000, "e": 0.149, "f": "x"}
    use = workload_use(advice=Advice((recommendation(evidence=facts),)))
    found = lines(story(use), "Recommendation")
    at = found.index("evidence:")
    assert found[at + 1 :] == (
        "- a = ?",
        "- b = ?",
        "- c = true",
        "- d = 16,000,000,000",
        "- e = 0.149",
        "- f = x",
    )
    assert lines(story(use), "Thresholds")[0] == "sizing.replicas.kv_p95 = 0.8"
