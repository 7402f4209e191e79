"""Tells the channels of a week's reports, and says which of them were not, and what to do then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import click

from analyzer.config import Config
from jobs.daemon.posting import GIVEN_UP_AFTER, SETTLED_AFTER, Unposted, post_waiting
from jobs.ledger.database import Database
from jobs.ledger.notices import SqlNotices
from jobs.ledger.standing import Standing, revive, standings
from jobs.slack import poster_of
from jobs.weekly.make import Report, notices
from reports.text import counted


def tell(
    reports: Sequence[Report], config: Config, database: Database, now: datetime
) -> Mapping[str, str]:
    """Posts what waits, and these reports at once. Returns why and what to do for each message
    that was not posted, by its key; empty when every channel has its report."""
    posted = [one for one in reports if one.channel]
    ours = [notice for one in posted for notice in notices(one, config.web.url)]
    keys = [one.key for one in ours]
    before = standings(database, keys)
    revive(database, ours, now, now - SETTLED_AFTER, now - GIVEN_UP_AFTER)
    failures: dict[str, str] = {}
    try:
        arrived = post_waiting(SqlNotices(database), poster_of(config), lambda: float("inf"), now)
    except Unposted as error:
        arrived = error.arrived
        failures |= error.failures
    after = standings(database, keys)
    is_webhook = config.slack.webhook is not None
    for report in posted:
        lacking = _lacking(report, after, is_webhook)
        failures |= {key: _remedy(after[key]) for key in lacking}
        if not lacking and _was_told(report, before, after):
            week = report.digest.week
            click.echo(f"{report.channel} was told of {week} already: nothing is posted twice")
    click.echo(f"{counted(arrived, 'message')} posted")
    return failures


def _lacking(report: Report, after: Mapping[str, Standing], is_webhook: bool) -> list[str]:
    """The first message of the report that is not there. A reply that can be nowhere is none: by
    a webhook, or where somebody deleted what it replies to."""
    parent, reply = after[report.key], after[report.reply_key]
    if parent.state != "sent":
        return [report.key]
    if reply.state == "sent" or is_webhook:
        return []
    return [report.reply_key] if reply.state == "waiting" or reply.sending_at else []


def _was_told(
    report: Report, before: Mapping[str, Standing], after: Mapping[str, Standing]
) -> bool:
    """Whether nothing of it was posted just now."""
    parts = (report.key, report.reply_key)
    return all(
        after[key].state != "sent" or before[key].state == "sent" or not after[key].attempts
        for key in parts
    )


def _remedy(standing: Standing) -> str:
    """Why a message is not there, and what a person can do."""
    if standing.state == "dropped":
        return f"{standing.detail}; look into the channel, and post it yourself if it is missing"
    if standing.sending_at is None:
        why = standing.detail or "it was not tried"
        return f"{why}; give the same command again once that is over or mended"
    until = standing.sending_at + SETTLED_AFTER
    why = standing.detail or "another process is posting it"
    again = f"give the same command again after {until:%H:%M:%S} UTC"
    return f"{why}; nobody knows yet whether it arrived: {again}"
