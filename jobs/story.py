"""Where the story of one workload comes from."""

from __future__ import annotations

from analyzer.analysis import Analysis
from analyzer.model import Snapshot, WorkloadKey
from analyzer.sizing import story
from jobs.context import App
from jobs.ledger.errors import LedgerError
from jobs.ledger.place import may_exist
from jobs.wiring import sizing_settings
from reports.became import became, not_known
from reports.sections import Section


def became_of(app: App, analysis: Analysis, key: WorkloadKey) -> Section | None:
    """What became of the advice for ``key``, None where no ledger knows of any."""
    url = app.config.ledger.url
    assert url is not None  # noqa: S101 - load() fills it in
    try:
        if not may_exist(url.reveal()):
            return None
        from jobs.ledger.reader import advice_of  # noqa: PLC0415 - loads SQLAlchemy

        entries = advice_of(url.reveal(), key)
    except LedgerError as error:
        return not_known(str(error))
    return became(entries, analysis.timezone) if entries else None


def story_of(app: App, snapshot: Snapshot, analysis: Analysis, key: WorkloadKey) -> story.Story:
    """The story of the workload ``key``, which ``analysis`` has."""
    return story.story(snapshot, analysis, key, sizing_settings(app.config))
