"""Advice over the days: what was given, what people said of it, and what was done."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.advice import Advice, Recommendation, Refusal, Replay, Saving, Savings
from analyzer.analysis import Analysis, WorkloadUse
from analyzer.followed import Accepted, Followed, follow, open_totals
from analyzer.wishes import REJECT, SNOOZE_UNTIL
from tests.builders import H100, NOW, analysis, key, notice, recommendation, verdict, workload_use

DAY = timedelta(days=1)
ASLEEP = {"gpu-thrift.io/replicas": "8", "gpu-thrift.io/asleep-by": "schedule"}
REFUSED = Refusal("reduce-replicas", "short-history", "only 3 h of load")
REPLAYED = replace(REFUSED, code="load", replay=Replay(10080.0, 0.0, 0.0, ()))


def use(*given: Recommendation, refused: tuple[Refusal, ...] = (), **more: Any) -> WorkloadUse:
    """Eight replicas of which the rules say this."""
    return workload_use(**({"replicas": 8, "advice": Advice(given, refused)} | more))


def look(*uses: WorkloadUse, **more: Any) -> Analysis:
    """An analysis for which all rules were asked."""
    return analysis(*uses, **({"savings": Savings(0.0, None, None, None)} | more))


def days(*looks: WorkloadUse | Analysis, start: datetime = NOW) -> list[list[Followed]]:
    """One look a day; the entries after each."""
    known: tuple[Followed, ...] = ()
    found = []
    for n, one in enumerate(looks):
        of_day = one if isinstance(one, Analysis) else look(one)
        known = follow(known, of_day, start + n * DAY).entries
        found.append(list(known))
    return found


def states(*looks: WorkloadUse | Analysis) -> list[str]:
    return [" ".join(one.state for one in of_day) for of_day in days(*looks)]


def test_it_is_open_from_the_first_day_it_is_given() -> None:
    [[first], [second]] = days(use(recommendation()), use(recommendation()))
    assert first == Followed(
        key=key(),
        action="reduce-replicas",
        before="8",
        after="4",
        first_seen=NOW,
        last_seen=NOW,
        state="open",
        state_since=NOW,
        predicted=Saving(2688.0, 80358.4, 80358.4, 2),
        plan=True,
    )
    assert second == replace(first, last_seen=NOW + DAY)


def test_another_target_is_the_same_advice() -> None:
    less = recommendation(after=5, saving=Saving(2016.0))
    [_, [entry]] = days(use(less), use(recommendation()))
    assert (entry.first_seen, entry.after, entry.predicted) == (
        NOW,
        "4",
        Saving(2688.0, 80358.4, 80358.4, 2),
    )


def test_half_way_is_open_from_where_it_is_now() -> None:
    rest = recommendation(before=6)
    [_, [entry], [done]] = days(
        use(recommendation()), use(rest, replicas=6), use(replicas=4, refused=(REFUSED,))
    )
    assert (entry.state, entry.before, entry.first_seen) == ("open", "6", NOW)
    assert (done.state, done.accepted) == ("accepted", Accepted(NOW + 2 * DAY))


@pytest.mark.parametrize(
    ("given_", "after", "state"),
    [
        (recommendation(), {"replicas": 4}, "accepted"),
        (recommendation(), {"replicas": 3}, "accepted"),
        (recommendation(), {"replicas": 0}, "accepted"),
        (recommendation(), {"replicas": 5}, "open"),
        (recommendation(), {"replicas": 9}, "open"),
        (recommendation(), {"replicas": None}, "open"),
        (recommendation(), {"replicas": 0, "annotations": ASLEEP}, "open"),
        (recommendation(), {"replicas": 4, "annotations": ASLEEP}, "open"),
        (recommendation(action="add-replicas", after=10), {"replicas": 10}, "accepted"),
        (recommendation(action="add-replicas", after=10), {"replicas": 12}, "accepted"),
        (recommendation(action="add-replicas", after=10), {"replicas": 9}, "open"),
        (recommendation(action="add-replicas", after=10), {"replicas": 4}, "open"),
        (recommendation(action="smaller-gpu", before=H100, after="L4"), {}, "open"),
        (
            recommendation(action="smaller-gpu", before=H100, after="L4"),
            {"gpu_model": "L4"},
            "accepted",
        ),
        (
            recommendation(action="smaller-gpu", before=H100, after="L4"),
            {"gpu_model": "A10"},
            "open",
        ),
        (recommendation(action="share-gpu", before="1", after="1/2"), {}, "open"),
        (
            recommendation(action="share-gpu", before="1", after="1/2"),
            {"gpus_per_replica": 0.5},
            "accepted",
        ),
        (
            recommendation(action="share-gpu", before="1", after="1/2"),
            {"shared": True},
            "accepted",
        ),
        (recommendation(action="use-spot", before="on-demand", after="spot"), {}, "open"),
        (recommendation(action="sleep-overnight", before="always", after="nights"), {}, "open"),
        (
            recommendation(action="sleep-overnight", before="always", after="nights"),
            {"annotations": {"gpu-thrift.io/awake": "Mon-Fri 08:00-20:00"}},
            "accepted",
        ),
        (
            recommendation(action="sleep-overnight", before="always", after="nights"),
            {"replicas": 0, "annotations": ASLEEP},
            "accepted",
        ),
        (recommendation(action="remove", after=0), {}, "open"),
        (recommendation(action="remove", after=0), {"replicas": 1}, "open"),
        (recommendation(action="remove", after=0), {"replicas": 0}, "accepted"),
        (recommendation(action="remove", after=0), {"exists": False}, "accepted"),
        (recommendation(action="remove", after=0), {"exists": None}, "open"),
        (
            recommendation(action="remove", after=0),
            {"replicas": 0, "annotations": ASLEEP},
            "open",
        ),
    ],
)
def test_what_was_done_is_accepted(
    given_: Recommendation, after: dict[str, Any], state: str
) -> None:
    """The rule itself says nothing on the second day, for lack of data."""
    silent = (replace(REFUSED, action=given_.action),)
    [_, [entry]] = days(use(given_), use(refused=silent, **after))
    assert entry.state == state
    assert (entry.accepted is not None) == (state == "accepted")
    assert entry.last_seen == NOW


def test_what_the_window_still_advises_is_done_all_the_same() -> None:
    """A week of H100s in the window, and the annotation there since yesterday."""
    nights = recommendation(action="sleep-overnight", before="always", after="nights")
    awake = {"gpu-thrift.io/awake": "Mon-Fri 08:00-20:00"}
    assert states(use(nights), use(nights, annotations=awake), use(nights, annotations=awake)) == [
        "open",
        "accepted",
        "accepted",
    ]


def test_advice_after_it_was_followed_is_another_one() -> None:
    more = recommendation(before=4, after=3)
    [_, _, [old, new]] = days(use(recommendation()), use(replicas=4), use(more, replicas=4))
    assert (old.state, old.after, old.first_seen) == ("accepted", "4", NOW)
    assert (new.state, new.after, new.first_seen) == ("open", "3", NOW + 2 * DAY)
    # The same day, too: the change is not taken for a new target.
    [_, [old, new]] = days(use(recommendation()), use(more, replicas=4))
    assert ((old.state, old.after), (new.state, new.after)) == (("accepted", "4"), ("open", "3"))


def test_what_is_not_advised_any_more_is_gone_and_may_come_back() -> None:
    [_, [gone], [back]] = days(use(recommendation()), use(), use(recommendation()))
    assert (gone.state, gone.state_since, gone.last_seen) == ("gone", NOW + DAY, NOW)
    assert (back.state, back.first_seen) == ("open", NOW)
    # What nobody advises is not followed by being there.
    assert states(use(recommendation()), use(), use(replicas=4)) == ["open", "gone", "gone"]


def test_a_trial_that_failed_is_an_answer() -> None:
    assert states(use(recommendation()), use(refused=(REPLAYED,))) == ["open", "gone"]
    # Whether it was moved to spot nodes, nothing tells.
    spot = recommendation(action="use-spot", before="on-demand", after="spot")
    assert states(use(spot), use()) == ["open", "gone"]
    other = replace(REFUSED, action="smaller-gpu")
    assert states(use(recommendation()), use(refused=(other,))) == ["open", "gone"]


@pytest.mark.parametrize(
    "silent",
    [
        look(use(refused=(REFUSED,))),
        look(use(coverage=None)),
        look(use(verdict=verdict("unknown"))),
        look(use(annotations=ASLEEP)),
        analysis(use()),
        look(workload_use("other", cluster="b"), clusters=("main", "b"), failed={"main": "away"}),
        look(use(), failed={"main": "away"}),
        look(workload_use("other", cluster="b"), clusters=("b",)),
    ],
    ids=["refused", "coverage", "verdict", "asleep", "not-asked", "away", "half-away", "not-read"],
)
def test_missing_is_not_done(silent: Analysis) -> None:
    first, second = days(use(recommendation()), silent)
    assert second == first


def without_api(one: WorkloadUse) -> Analysis:
    """Read from metrics alone: they do not tell annotations."""
    return look(one, notices=(notice(code="no-cluster-api"),))


def test_wishes_stand_while_annotations_cannot_be_read() -> None:
    given_ = recommendation()
    refused = rejected("all", given_)
    assert states(refused, without_api(use(given_)), without_api(use())) == ["rejected"] * 3
    assert states(refused, without_api(use(replicas=4)), use(replicas=4)) == [
        "rejected",
        "rejected",
        "accepted",
    ]
    one = snoozed((NOW + 2 * DAY).isoformat(), given_)
    assert states(one, without_api(use(given_)), without_api(use(given_))) == [
        "snoozed",
        "snoozed",
        "open",
    ]
    # The annotations of another cluster were read.
    other = look(use(given_), notices=(notice(code="no-cluster-api", cluster="b"),))
    assert states(refused, other) == ["rejected", "open"]


def test_what_may_be_asleep_is_not_removed_while_annotations_cannot_be_read() -> None:
    away = recommendation(action="remove", after=0)
    for given_ in (away, recommendation()):
        for stopped in ({"replicas": 0}, {"replicas": None, "exists": False}):
            [first, second] = days(use(given_), without_api(use(**stopped)))
            assert second == first
    assert states(use(recommendation()), without_api(use(replicas=4))) == ["open", "accepted"]
    assert states(use(recommendation()), without_api(use())) == ["open", "gone"]


def test_a_workload_without_gpus_for_a_whole_window_has_none_to_save() -> None:
    assert states(use(recommendation()), look(workload_use("other"))) == ["open", "gone"]
    assert states(use(recommendation()), use(exists=False, coverage=None)) == ["open", "gone"]


def rejected(text: str, *given: Recommendation, **more: Any) -> WorkloadUse:
    return use(*given, annotations={REJECT: text}, **more)


@pytest.mark.parametrize(
    "text", ["all", "ALL", "Reduce-Replicas", " smaller-gpu ,reduce-replicas "]
)
def test_what_is_rejected_stays_so_while_the_annotation_stands(text: str) -> None:
    with_it = rejected(text, recommendation())
    found = days(use(recommendation()), with_it, rejected(text), use(recommendation()))
    assert [(one.state, one.state_since) for [one] in found] == [
        ("open", NOW),
        ("rejected", NOW + DAY),
        ("rejected", NOW + DAY),
        ("open", NOW + 3 * DAY),
    ]
    assert [one.last_seen for [one] in found] == [NOW, NOW + DAY, NOW + DAY, NOW + 3 * DAY]
    # Done all the same, it was not done for this advice.
    assert states(with_it, rejected(text, replicas=4)) == ["rejected", "rejected"]
    assert states(with_it, use(replicas=8)) == ["rejected", "gone"]


def test_another_action_is_not_rejected() -> None:
    spot = recommendation(action="use-spot", before="on-demand", after="spot", plan=False)
    [entries] = days(rejected("use-spot", recommendation(), spot))
    assert {one.action: one.state for one in entries} == {
        "reduce-replicas": "open",
        "use-spot": "rejected",
    }


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("", "open"),
        ("yes", "open"),
        ("reduce", "open"),
        ("reduce-replicas smaller-gpu", "open"),
        ("\x1b[31m", "open"),
        ("reduce-replicas, smaler-gpu", "rejected"),
    ],
)
def test_a_rejection_that_cannot_be_read_is_named_and_not_guessed(text: str, state: str) -> None:
    found = follow((), look(rejected(text, recommendation())), NOW)
    assert [one.state for one in found.entries] == [state]
    [line] = found.bad
    assert line.startswith("main/inference/Deployment/chat-70b: gpu-thrift.io/reject: expected ")
    assert line.isprintable()


def snoozed(text: str, *given: Recommendation, **more: Any) -> WorkloadUse:
    return use(*given, annotations={SNOOZE_UNTIL: text}, **more)


def test_a_snooze_lasts_until_its_time() -> None:
    until = NOW + 2 * DAY
    one = snoozed(until.isoformat(), recommendation())
    found = days(one, one, one)
    assert [(entry.state, entry.snoozed_until) for [entry] in found] == [
        ("snoozed", until),
        ("snoozed", until),
        ("open", None),
    ]
    assert states(one, snoozed(until.isoformat(), replicas=4)) == ["snoozed", "accepted"]
    assert states(one, snoozed(until.isoformat(), refused=(REFUSED,))) == ["snoozed", "snoozed"]
    assert states(one, snoozed(until.isoformat())) == ["snoozed", "gone"]


def test_a_snooze_date_is_a_local_one_and_a_bad_one_is_named() -> None:
    at, berlin = NOW.replace(hour=22, minute=30), ZoneInfo("Europe/Berlin")
    local = look(snoozed("2026-11-24", recommendation()))
    assert [one.state for one in follow((), local, at, berlin).entries] == ["snoozed"]
    later = follow((), local, at + timedelta(minutes=31), berlin)
    assert [one.state for one in later.entries] == ["open"]
    bad = follow((), look(snoozed("soon", recommendation())), NOW)
    assert [one.state for one in bad.entries] == ["open"]
    assert ["gpu-thrift.io/snooze-until: expected a date" in line for line in bad.bad] == [True]


def test_only_open_plans_count_in_totals() -> None:
    spot = recommendation(action="use-spot", before="on-demand", after="spot", plan=False)
    cheap = recommendation(saving=Saving(10.0, None, None))
    [entries] = days(
        look(
            use(recommendation(), spot),
            use(cheap, name="b"),
            use(recommendation(), name="c", annotations={REJECT: "all"}),
            use(recommendation(), name="d", annotations={SNOOZE_UNTIL: "2027-01-01"}),
        )
    )
    assert len(entries) == 5
    assert open_totals(entries) == Saving(2698.0, 80358.4, 80358.4, None)
    assert open_totals([]) == Saving(0.0, None, None)


def test_two_looks_at_one_moment_do_not_make_two_entries_of_one_age() -> None:
    more = recommendation(before=4, after=3)
    first = follow((), look(use(recommendation())), NOW)
    [entry] = follow(first.entries, look(use(more, replicas=4)), NOW).entries
    assert (entry.state, entry.after) == ("open", "3")


def test_what_changed_is_told_once() -> None:
    first = follow((), look(use(recommendation())), NOW)
    second = follow(first.entries, look(use(recommendation())), NOW + DAY)
    third = follow(second.entries, look(use(replicas=4)), NOW + 2 * DAY)
    fourth = follow(third.entries, look(use(replicas=4)), NOW + 3 * DAY)
    told = [[one.state for one in found.changed] for found in (first, second, third, fourth)]
    assert told == [["open"], [], ["accepted"], []]


SNOOZES = [None, "2026-11-25", "2027-01-01", "soon"]
REJECTS = [None, "all", "reduce-replicas", "remove, nothing"]


@st.composite
def looks(draw: st.DrawFn) -> Analysis:
    """One workload with any advice, annotations and replicas, or none, or its cluster away."""
    if draw(st.integers(0, 5)) == 0:
        return look(workload_use("other"), failed=draw(st.sampled_from([{}, {"main": "away"}])))
    count = draw(st.integers(0, 9))
    given_ = []
    for action in draw(st.sets(st.sampled_from(["reduce-replicas", "remove", "smaller-gpu"]))):
        target: Any = draw(st.integers(0, 9)) if action != "smaller-gpu" else "L4"
        given_.append(recommendation(action=action, before=count, after=target))
    wishes = {SNOOZE_UNTIL: draw(st.sampled_from(SNOOZES)), REJECT: draw(st.sampled_from(REJECTS))}
    memory = draw(st.sampled_from([{}, ASLEEP]))
    return look(
        use(
            *given_,
            refused=draw(st.sampled_from([(), (REFUSED,), (REPLAYED,)])),
            replicas=draw(st.sampled_from([None, count])),
            exists=draw(st.sampled_from([True, None, False])),
            gpu_model=draw(st.sampled_from([H100, "L4"])),
            annotations={name: text for name, text in wishes.items() if text is not None} | memory,
        )
    )


@given(st.lists(looks(), min_size=1, max_size=6))
def test_first_seen_never_moves_and_the_same_again_changes_only_last_seen(
    of_days: list[Analysis],
) -> None:
    known: tuple[Followed, ...] = ()
    for n, of_day in enumerate(of_days):
        now = NOW + n * DAY
        entries = follow(known, of_day, now).entries
        again = follow(entries, of_day, now + timedelta(minutes=1))
        assert [replace(one, last_seen=NOW) for one in again.entries] == [
            replace(one, last_seen=NOW) for one in entries
        ]
        assert again.changed == ()
        # No entry is lost, and of those that are not over there is one for each action.
        assert {one.identity for one in known} <= {one.identity for one in entries}
        assert {one.first_seen for one in entries} <= {NOW + m * DAY for m in range(n + 1)}
        live = [(one.key, one.action) for one in entries if one.state != "accepted"]
        assert len(live) == len(set(live))
        # What is over stays as it was.
        over = [one for one in known if one.state == "accepted"]
        assert [one for one in entries if one in over] == over
        known = entries
