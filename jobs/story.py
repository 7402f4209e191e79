"""Where the story of one workload comes from."""

from __future__ import annotations

from analyzer.analysis import Analysis
from analyzer.model import Snapshot, WorkloadKey
from analyzer.sizing import story
from jobs.context import App


def story_of(app: App, snapshot: Snapshot, analysis: Analysis, key: WorkloadKey) -> story.Story:  # noqa: ARG001
    """The story of the workload ``key``, which ``analysis`` has."""
    use = next(one for one in analysis.workloads if one.workload.key == key)
    return story.empty(use, analysis.window)
