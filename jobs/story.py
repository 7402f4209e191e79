"""Where the story of one workload comes from."""

from __future__ import annotations

from analyzer.analysis import Analysis
from analyzer.model import Snapshot, WorkloadKey
from analyzer.sizing import story
from jobs.context import App
from jobs.wiring import sizing_settings


def story_of(app: App, snapshot: Snapshot, analysis: Analysis, key: WorkloadKey) -> story.Story:
    """The story of the workload ``key``, which ``analysis`` has."""
    return story.story(snapshot, analysis, key, sizing_settings(app.config))
