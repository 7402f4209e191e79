"""Posts what waits in the ledger: each message once, also where an answer or a ledger was lost.

A message is marked before it is sent. Whoever finds the mark of a try whose end nobody knows waits
until that try must be over, and then asks whether the message is there before sending it again.
Where nobody can be asked it is not sent again: a message that is missing is better than two.

A week's report is asked for before its first try too: another machine, a ledger that was lost, or
a channel that is spelt otherwise may have been there before.

Pictures are uploaded before the mark is set: nobody sees them until the message names them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from time import monotonic

from analyzer.errors import (
    BadAnswer,
    ConfigError,
    Denied,
    GpuThriftError,
    PartlyDone,
    SourceError,
    each_named,
)
from jobs.daemon.leadership import NotLeader
from jobs.ledger.errors import Superseded
from jobs.ledger.notices import Notice, SqlNotices
from jobs.poster import Futile, Limited, Lost, Poster, Unsure

log = logging.getLogger("gpu_thrift.posting")

SETTLED_AFTER = timedelta(minutes=3)
"""How long after its try began a message must be there if it ever will: a minute in which a poster
may try again what was refused, and the longest timeout that may be configured for one answer."""

FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(hours=1)

GIVEN_UP_AFTER = timedelta(days=3)
"""What could not be told for so long is no news any more."""

LOOKED_BACK = timedelta(weeks=3)
"""How far back a week's report is looked for before its first try: one is made up for two weeks
after its time unless configured otherwise, and a week more is for a ledger that is lost later. That
many messages of a busy channel are read in a few dozen pages."""

PICTURES_WAITED_FOR = timedelta(hours=1)
"""How long a message waits for a server that does not take its pictures; then it goes without."""


class Unposted(PartlyDone):
    """What did not arrive, with the reason of each by its key; ``arrived`` others did."""

    def __init__(self, failures: Mapping[str, str], arrived: int = 0) -> None:
        super().__init__(f"not everything was posted: {each_named(failures)}")
        self.failures = failures
        self.arrived = arrived


def post_waiting(
    notices: SqlNotices, poster: Poster, guard: Callable[[], float], now: datetime
) -> int:
    """Posts every message that is due, replies after their parents. Returns how many arrived,
    without those that were there before their first try.

    ``guard`` raises where this process may not act any more. Raises ``Unposted`` that names what
    did not arrive; unless it may have, it stays in the ledger and is tried again.
    """
    arrived, begun = 0, monotonic()
    failures: dict[str, str] = {}

    def clock() -> datetime:
        # Uploads take their time; whole seconds will do to tell how long a try has been going on.
        return now + timedelta(seconds=int(monotonic() - begun))

    for notice in _due(notices, now):
        guard()
        if _is_to_wait(notice, notices, now):
            continue
        try:
            arrived += _posted(notice, notices, poster, guard, clock)
        except NotLeader:
            raise
        except Superseded as error:
            log.info("%s", error)
        except Futile as error:
            notices.drop(notice.key, str(error))
            log.info("%s: not posted: %s", notice.key, error)
        except SourceError as error:
            failures[notice.key] = str(error)
    if failures:
        raise Unposted(failures, arrived)
    return arrived


def _due(notices: SqlNotices, now: datetime) -> Iterator[Notice]:
    """Those that are due, each once; a reply becomes so when its parent arrives."""
    seen: set[str] = set()
    while found := [one for one in notices.waiting(now) if one.key not in seen]:
        seen.update(one.key for one in found)
        yield from found


def _is_to_wait(notice: Notice, notices: SqlNotices, now: datetime) -> bool:
    """Whether it is not tried now, or not any more; the ledger knows by then."""
    if notice.made_at is not None and now - notice.made_at > GIVEN_UP_AFTER:
        days = GIVEN_UP_AFTER.days
        why = f"given up: it could not be posted for {days} days"
        notices.drop(notice.key, why)
        log.error("%s: %s", notice.key, why)
        return True
    if notice.sending_at is not None and now - notice.sending_at < SETTLED_AFTER:
        # Whoever began it may be waiting for its answer still.
        until = notice.sending_at + SETTLED_AFTER
        notices.failed(notice.key, "is being sent, or was", until, unsure=True)
        return True
    return False


def _posted(
    notice: Notice,
    notices: SqlNotices,
    poster: Poster,
    guard: Callable[[], float],
    clock: Callable[[], datetime],
) -> bool:
    """Makes sure that it is there. Returns whether a try of ours brought it; raises why it is not
    there."""
    found = _found(notice, notices, poster, clock())
    if found is not None:
        notices.sent(notice.key, found, clock())
        log.info("%s: is there already", notice.key)
        return notice.sending_at is not None
    files = _uploaded(notice, notices, poster, clock())
    guard()
    notices.sending(notice, clock())
    guard()
    try:
        receipt = poster.post(notice, files)
    except Lost as error:
        notices.drop(notice.key, str(error))
        raise
    except Futile:
        raise
    except (SourceError, ConfigError) as error:
        _later(notice, error, notices, clock(), unsure=isinstance(error, Unsure))
        raise
    notices.sent(notice.key, receipt, clock())
    return True


def _found(notice: Notice, notices: SqlNotices, poster: Poster, now: datetime) -> str | None:
    """Its receipt where it may be there and is. Raises why nobody knows."""
    is_tried = notice.sending_at is not None
    if not (is_tried or notice.is_weekly):
        return None
    known = (notice.made_at, notice.sending_at, now - LOOKED_BACK if notice.is_weekly else None)
    try:
        return poster.find(notice, min(filter(None, known)))
    except Futile:
        raise
    except SourceError as error:
        if not is_tried and isinstance(error, (Lost, Denied, BadAnswer)):
            # It would never be posted where nobody may look.
            log.info("%s: is posted without a look whether it is there: %s", notice.key, error)
            return None
        if isinstance(error, Lost):
            notices.drop(notice.key, str(error))
        else:
            # A try before is as unknown as it was.
            _later(notice, error, notices, now, unsure=is_tried)
        raise


def _uploaded(
    notice: Notice, notices: SqlNotices, poster: Poster, now: datetime
) -> Mapping[str, str]:
    """Names for the pictures of a message that is not there. Raises why it has to wait."""
    if not notice.pictures:
        return {}
    try:
        return poster.upload(notice)
    except SourceError as error:
        if notice.made_at is None or now - notice.made_at < PICTURES_WAITED_FOR:
            _later(notice, error, notices, now, unsure=False)
            raise
        log.warning("%s: goes without its pictures: %s", notice.key, error)
        return {}


def _later(
    notice: Notice, error: GpuThriftError, notices: SqlNotices, now: datetime, *, unsure: bool
) -> None:
    wait: timedelta = min(FIRST_WAIT * 2 ** min(notice.attempts, 20), LONGEST_WAIT)
    if isinstance(error, Limited):
        wait = max(timedelta(seconds=error.retry_after_s), FIRST_WAIT)
    if unsure:
        wait = max(wait, SETTLED_AFTER)
    notices.failed(notice.key, str(error), now + wait, unsure=unsure)
