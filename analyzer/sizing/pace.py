"""How fast a replica answers when it runs more requests together, as its own history tells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analyzer.model import STEP_S
from analyzer.sizing.demand import Demand, Floats

_HOUR_STEPS = 3600 // STEP_S
_FEWEST = 3
"""Hours, and twice as many steps, below which nothing is read from their differences."""
_DIFFER = 0.05
"""Relative spread of hourly loads from which they are believed rather than five-minute steps, in
which a request may begin and not end."""
_HARDLY = 0.02
"""Relative spread below which loads are alike."""
_TOGETHER = 0.5
"""Correlation from which requests and tokens of steps are taken to rise and fall together: what is
noise in one of them alone says nothing."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds that one token of one request takes: ``alone_s``, and ``each_s`` more for every
    request that runs beside it on the replica. ``most_rate`` is the highest mean of tokens a second
    that a replica was seen to keep up. ``told`` is False where loads were too alike to tell
    ``each_s``, which then is 0."""

    alone_s: float
    each_s: float
    most_rate: float
    told: bool = True

    def stretch(self, rate: Floats, share: Floats) -> Floats:
        """How much longer a request stays when a replica that makes ``rate`` tokens a second makes
        ``share`` times as many: at least 1, infinite where it cannot.

        With n = rate x (alone + each x n) requests together, n = rate x alone / (1 - rate x each).
        """
        now = np.minimum(rate * self.each_s, 0.99)
        left = 1 - now * share
        longer = np.where(left > 0, (1 - now) / np.maximum(left, 1e-12), np.inf)
        return np.maximum(longer, 1.0)


def pace_of(demand: Demand) -> Pace | None:
    """How requests slow each other down; None when tokens are not counted or hardly any are.

    From hourly means where hours differ, else from steps: a load that never changes by the hour
    still goes up and down by chance.
    """
    known = np.isfinite(demand.generated) & (demand.generated > 0) & (demand.running > 0)
    together, rate = (demand.running / demand.replicas)[known], token_rate(demand)[known]
    hourly = _hourly(demand.at[known], together, rate)
    enough = hourly[0].size >= _FEWEST
    moves = enough and _move_together(*hourly)
    if moves and _spread(hourly[0]) > _DIFFER:
        return _fitted(*hourly)
    if together.size >= 2 * _FEWEST and _move_together(together, rate):
        return _fitted(together, rate)
    if moves:
        return _fitted(*hourly)
    if not enough:
        return None
    return Pace(float((hourly[0] / hourly[1]).mean()), 0.0, float(hourly[1].max()), told=False)


def token_rate(demand: Demand) -> Floats:
    """Generated tokens a second and replica."""
    rate: Floats = demand.generated / demand.replicas / STEP_S
    return rate


def _hourly(at: np.ndarray, together: Floats, rate: Floats) -> tuple[Floats, Floats]:
    """Means of the hours of which at least half is known."""
    _, hour = np.unique(at // _HOUR_STEPS, return_inverse=True)
    count = np.bincount(hour)
    whole = count >= _HOUR_STEPS / 2
    first, second = (
        (np.bincount(hour, part)[whole] / count[whole]).astype(np.float64)
        for part in (together, rate)
    )
    return first, second


def _move_together(together: Floats, rate: Floats) -> bool:
    if min(_spread(together), _spread(rate)) <= _HARDLY:
        return False
    return float(np.corrcoef(together, rate)[0, 1]) > _TOGETHER


def _spread(values: Floats) -> float:
    mean = float(values.mean())
    return float(values.std()) / mean if mean > 0 else 0.0


def _fitted(together: Floats, rate: Floats) -> Pace:
    """A line through the seconds a token takes, by how many run together. Noise in their number
    makes it steeper than it is, which errs on the safe side."""
    per_token = together / rate
    spread = together - together.mean()
    each = max(0.0, float((spread * per_token).sum() / (spread**2).sum()))
    alone = float(per_token.mean()) - each * float(together.mean())
    if alone < 0:
        # Through the origin: running requests together gains nothing.
        alone, each = 0.0, float((together * per_token).sum() / (together**2).sum())
    return Pace(alone, each, float(rate.max()))
