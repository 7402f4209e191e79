"""The pictures of the weekly report, each with its words and its table."""

from __future__ import annotations

from analyzer.sizing.story import Story
from reports import draw_replay, draw_rhythm, draw_spend
from reports.digest import Digest
from reports.drawing import Drawing

__all__ = ["Drawing", "drawings"]


def drawings(digest: Digest, story: Story | None, name: str = "") -> tuple[Drawing, ...]:
    """Spend, rhythm and replay, of which each is left out that has no data. ``story`` is of the
    workload of the first action, which is called ``name``. The same week gives the same bytes."""
    replay = draw_replay.sketch(story, name, digest.analysis.timezone) if story else None
    sketches = (draw_spend.sketch(digest), draw_rhythm.sketch(digest), replay)
    return tuple(one.painted() for one in sketches if one is not None)
