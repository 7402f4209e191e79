"""How large the page of the weekly report gets, and what is left out of one that is too large."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from analyzer.advice import Advice
from analyzer.config import Config
from jobs.wiring import analysed
from reports import page_brief
from reports.digest import Digest, Past, digest
from reports.drawing import Drawing
from reports.html import to_html
from reports.links import anchor
from tests import builders as make
from tests.reports import advised, weeklies
from tests.reports.test_page import PNG

PICTURE = 40_000
"""Bytes, of which each chart has one on light and one on dark ground."""

SLOT = np.arange(weeklies.WEEK.steps)
BY_DAY = np.clip(np.round(1 + 4 * np.sin((SLOT // 12 % 24 - 6) / 12 * np.pi)), 1, 5)
"""Replicas as an autoscaler sets them: five at noon, one at night."""


def pictures() -> list[Drawing]:
    noise = np.random.default_rng(1).bytes(PICTURE)
    return [
        Drawing(name, f"Title of {name}", "Words", PNG + noise, PNG + noise, ("A",), (("1",),))
        for name in ("spend", "rhythm", "replay")
    ]


def fleet(longest: bool, by_day: bool) -> Digest:
    """500 of production with an L4 a replica, hardly used, so that each can do with fewer."""
    rng = np.random.default_rng(3)
    replicas = (BY_DAY if by_day else np.full(weeklies.WEEK.steps, 4)).astype(np.float32)
    workloads, uses, servings = [], [], []
    for n in range(500):
        name = f"chat-{n}-production"
        one = make.workload(
            name.rjust(63, "a") if longest else name,
            namespace=f"ns-{n % 40}",
            gpus_per_replica=1.0,
            replicas=4,
            pod_labels={"environment": "production", "team": f"team-{n % 17}"},
        )
        work = replicas * rng.random(weeklies.WEEK.steps).astype(np.float32) * np.float32(0.6)
        node = make.node_class("L4", instance_type="g6.2xlarge")
        workloads.append(one)
        uses.append(
            make.gpu_use(one.key, allocated=replicas, observed=replicas, work=work, node=node)
        )
        servings.append(
            make.serving(
                one.key,
                model=f"org/some-model-name-{n}-Instruct",
                running=rng.random(weeklies.WEEK.steps) * 4,
                kv_cache=rng.random(weeklies.WEEK.steps) * 0.3,
                requests=1e5,
                prompt_tokens=1e9,
                generation_tokens=1e8,
            )
        )
    snapshot = make.snapshot(
        workloads=tuple(workloads),
        use=tuple(uses),
        serving=tuple(servings),
        pools=(make.pool(),),
    )
    analysis = analysed(Config(), snapshot, snapshot.taken_at)
    return digest(weeklies.NAME, snapshot, analysis, Past(sleeps=(), followed=()))


def told(text: str) -> dict[str, str]:
    """What is told of each workload, by its place, in the order of the page."""
    table = text.partition('<table id="workloads"')[2].partition("</table>\n</section>")[0]
    found = re.findall("<div id=(w-[0-9a-f]+)>(.*?)</div></details>", table, re.S)
    return dict(found)


@pytest.mark.parametrize("by_day", [False, True], ids=["as many always", "by day"])
@pytest.mark.parametrize("longest", [False, True], ids=["short names", "63 characters"])
def test_five_hundred_with_advice_each_are_less_than_a_megabyte(
    longest: bool, by_day: bool
) -> None:
    week = fleet(longest, by_day)
    assert sum(use.advice.plan is not None for use in week.analysis.workloads) == 500
    text = to_html(week, pictures())
    size = len(text.encode())
    # Not smaller than it has to be, either.
    assert 990_000 < size < 1_000_000
    assert text.count("report.json") == 1
    places = told(text)
    assert len(places) == 500
    for one in places.values():
        assert "Advice: reduce-replicas 4 → " in one
        assert "data-key=worth_usd_per_month" in one
    for action in week.actions[:3]:
        assert "Evidence:" in places[anchor(action.use.workload.key)]


@pytest.mark.parametrize("name", sorted(weeklies.ALL))
def test_what_has_room_is_told_in_full(name: str) -> None:
    week = weeklies.ALL[name]()
    text = to_html(week, pictures())
    assert len(text.encode()) < 1_000_000
    assert "report.json" not in text
    plans = [use.advice.plan for use in week.analysis.workloads]
    assert text.count("<p>Evidence: ") == sum(bool(one and one.evidence) for one in plans)


def test_the_last_are_the_first_to_be_told_in_brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three actions come first, and stay as they are even when there is no room for anything."""
    week = weeklies.demo()
    full = to_html(week, ())
    # The note of what is left out takes some of it.
    monkeypatch.setattr(page_brief, "LARGEST", len(full.encode()) - 100)
    some = told(to_html(week, ()))
    changed = [place for place, words in told(full).items() if words != some[place]]
    with_advice = [
        anchor(use.workload.key) for use in week.analysis.workloads if use.advice.plan is not None
    ]
    kept = [anchor(one.use.workload.key) for one in week.actions[:3]]
    in_order = [place for place in told(full) if place in with_advice and place not in kept]
    assert changed
    assert changed == in_order[-len(changed) :]

    monkeypatch.setattr(page_brief, "LARGEST", 0)
    least = told(to_html(week, ()))
    for place in kept:
        assert least[place] == told(full)[place]


def test_in_brief_are_plan_effect_reason_confidence_and_what_decided(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    week = weeklies.demo()
    full = to_html(week, ())
    monkeypatch.setattr(page_brief, "LARGEST", len(full.encode()) - 100)
    text = to_html(week, ())
    key = next(place for place, words in told(full).items() if words != told(text)[place])
    use = next(one for one in week.analysis.workloads if anchor(one.workload.key) == key)
    plan = use.advice.plan
    assert plan is not None
    brief = told(text)[key]
    for said in (plan.action, str(plan.after), plan.reason[1:], f"{plan.confidence.level[1:]}"):
        assert said in brief
    for gone in ("Evidence:", plan.confidence.reasons[0], "<table", "Not advised"):
        assert gone not in brief
    assert "data-key=" in brief
    assert "<figure data-week=" in brief


def test_a_trial_in_brief_has_its_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 4, 3 and 2 replicas 3 are advised and 2 would not do."""
    week = weeklies.one()
    use = replace(week.analysis.workloads[0], advice=Advice((advised.fewer(),)))
    week = replace(week, analysis=replace(week.analysis, workloads=(use,)))
    monkeypatch.setattr(page_brief, "LARGEST", len(to_html(week, ()).encode()) - 100)
    text = to_html(week, ())
    assert (
        "<p>Replayed on 3: KV p95 55%, GPU p95 41%, ITL p95 46 ms; on 2: KV p95 82%, 214 min full, "
        "1,833 would wait, GPU p95 62%, ITL p95 55 ms"
    ) in text
    assert "1 of 1 workloads are told in brief. The rest of these is in report.json." in text


def test_barely_told_are_facts_and_what_is_advised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_brief, "LARGEST", 0)
    week = weeklies.demo()
    text = to_html(week, ())
    least = told(text)
    kept = {anchor(one.use.workload.key) for one in week.actions[:3]}
    for use in week.analysis.workloads:
        words = least[anchor(use.workload.key)]
        assert f"{use.workload.key.kind} in " in words
        if anchor(use.workload.key) in kept:
            continue
        assert "<figure" not in words
        assert "confidence" not in words
        if use.advice.plan:
            assert f"Advice: {use.advice.plan.action} " in words
            assert "data-key=" in words
    assert "with no more than what is advised and its effect" in text
