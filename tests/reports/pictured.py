"""Weeks and stories that pictures are made of: the ordinary, the empty, the huge, the hostile."""

from __future__ import annotations

import numpy as np

from analyzer.advice import Advice
from analyzer.rhythm import Rhythm
from analyzer.weeks import Spend
from reports.digest import Digest
from tests.builders import workload_use
from tests.reports import advised
from tests.reports.bare_weeks import RHYTHM, digest, week
from tests.reports.fleets import ANSI, LONG, MARKUP, REVERSED, SCRIPT
from tests.reports.stories import story

ADVISED = workload_use(replicas=4, advice=Advice((advised.fewer(),)))
GAPS = Rhythm((RHYTHM.use[0], (None,) * 24, *RHYTHM.use[2:]), 0.8)
HOSTILE = (ANSI, REVERSED, LONG, MARKUP, SCRIPT, "$x^2$ \\frac{1}{", "a\nb\u2028c", "W" * 300)


def replayed(**changes: object):
    """The story of one that is advised to have three replicas instead of four."""
    made = story()
    kv_then = (made.kv * np.float32(4 / 3)).astype(np.float32)
    return story(**({"use": ADVISED, "kv_then": kv_then, "then": 3} | changes))


def hostile() -> Digest:
    spent = {"".join(HOSTILE): Spend(10.0, 1000.0, 500.0)}
    return digest(week(environments=spent), week(1, environments=spent), teams=HOSTILE)


def many() -> Digest:
    """Five environments in millions, each with something that has no price."""
    names = ("production", "staging", "development", "unknown", "laboratory")
    spent = {name: Spend(99_999.0, 123_456_789.0, 100_000_000.0, 5555.0) for name in names}
    weeks = [week(ago, environments=spent, unallocated_cost_usd=2e6) for ago in (4, 3, 2, 1)]
    return digest(week(environments=spent, hours=121), *weeks, rhythm=GAPS)


def free() -> Digest:
    return digest(week(environments={"production": Spend(9.0)}, unallocated_cost_usd=0.0))


def gone() -> Digest:
    """A week without any record."""
    lost = week(hours=0, environments={}, unallocated_gpu_hours=None, coverage=None)
    return digest(lost, week(3), week(1, hours=3))


CASES = {
    "first": (digest(), replayed()),
    "history": (digest(week(), week(4), week(2, hours=121)), story(use=workload_use())),
    "hostile": (hostile(), replayed(kv_then=np.full(2016, 5.25, np.float32))),
    "many": (many(), replayed()),
    "free": (free(), story(use=workload_use())),
    "gone": (gone(), replayed(kv=np.full(2016, np.nan, np.float32))),
}
