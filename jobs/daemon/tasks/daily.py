"""What is done every day with one analysis: flags, and what became of recommendations."""

from __future__ import annotations

from datetime import datetime

from analyzer.errors import PartlyDone
from analyzer.model import Window
from jobs.daemon.tasks import advice, flags
from jobs.daemon.tasks.advice import Books
from jobs.daemon.tasks.flags import Telling
from jobs.ledger.advice import SqlAdvice
from jobs.ledger.database import Database
from jobs.ledger.errors import LedgerError
from jobs.ledger.notices import SqlNotices
from jobs.ledger.runs import Run
from jobs.ledger.usage import SqlUsage
from jobs.periods import Period
from jobs.reading import Analyse


def run_once(
    period: Period,
    analyse: Analyse,
    database: Database,
    telling: Telling,
    now: datetime,
    run: Run | None = None,
) -> int:
    """Both for the end of ``period``. Returns how many flags changed.

    ``run`` is the try of the period: nothing is written once another process took it over. Raises
    ``PartlyDone`` when some clusters could not be read, after the others were looked at.
    """
    analysis = analyse(Window.ending(period.end, telling.span))
    books = Books(SqlAdvice(database), SqlUsage(database))
    try:
        changes = flags.run_once(
            period, lambda _: analysis, SqlNotices(database), telling, now, run
        )
    except PartlyDone as partly:
        try:
            advice.run_once(analysis, books, now, telling.zone, run)
        except LedgerError as error:
            raise PartlyDone(f"{partly}; {error}") from error
        raise
    advice.run_once(analysis, books, now, telling.zone, run)
    return changes
