"""The reports of a week: one of everything, and one for each channel that teams have of their
own. Files and messages, whole, before anything is written or sent."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath

from analyzer.config import Config
from analyzer.model import WorkloadKey
from analyzer.sizing.story import Story, story
from jobs.ledger.notices import WEEKLY, Notice, Picture
from jobs.periods import Period
from jobs.reading import Looked
from jobs.weekly.past import PastOf
from jobs.wiring import sizing_settings
from reports.blocks import Message
from reports.digest import Digest, digest
from reports.digest_json import weekly_json
from reports.export import to_csv
from reports.html import to_html
from reports.links import PAGE, page_url
from reports.pictures import Drawing, drawings
from reports.sections import Names
from reports.slack import details, weekly
from reports.weekly_markdown import weekly_markdown

_LONGEST = 60
"""Characters of the names of clusters in a key."""

_UNSAFE = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Report:
    """One report. ``folder`` is where it is kept, below the folder of reports; ``channel`` where
    it is posted, empty for nowhere."""

    digest: Digest
    drawings: tuple[Drawing, ...]
    folder: PurePosixPath
    channel: str

    @property
    def key(self) -> str:
        """What tells its message from every other: one a week and channel."""
        return f"{self._about} @{self.channel}"

    @property
    def reply_key(self) -> str:
        return f"{self._about} details @{self.channel}"

    @property
    def _about(self) -> str:
        """The week and the clusters: several daemons may tell one channel, each of its own."""
        clusters = ",".join(sorted(self.digest.analysis.clusters))
        if len(clusters) > _LONGEST:
            clusters = hashlib.blake2s(clusters.encode(), digest_size=8).hexdigest()
        return f"{WEEKLY} {self.digest.week} of {clusters}"


def reports_of(period: Period, looked: Looked, past: PastOf, config: Config) -> list[Report]:
    """The report of everything, then those of teams that are posted elsewhere."""
    made = [report_of(period, looked, past, (), config)]
    for channel, teams in sorted(_channels(config).items()):
        made.append(replace(report_of(period, looked, past, teams, config), channel=channel))
    return made


def report_of(
    period: Period, looked: Looked, past: PastOf, teams: Sequence[str], config: Config
) -> Report:
    """The report of some ``teams``, or of everything where there are none."""
    made = digest(period.key, looked.snapshot, looked.analysis, past(teams), teams)
    # The one that is worth most of those that were replayed, if any was.
    replayed = [one for one in made.actions if one.advised.replay is not None]
    first = next((one.use.workload.key for one in (*replayed, *made.actions)), None)
    told = _story(looked, first, config) if first is not None else None
    name = Names(made.analysis).full(first) if first is not None else ""
    folder = PurePosixPath(period.key)
    return Report(
        made,
        drawings(made, told, name),
        folder / _slug(teams) if teams else folder,
        "" if teams else config.slack.destination,
    )


def _story(looked: Looked, key: WorkloadKey, config: Config) -> Story:
    return story(looked.snapshot, looked.analysis, key, sizing_settings(config))


def _channels(config: Config) -> Mapping[str, list[str]]:
    """The teams of each channel that is not the one of everything, which tells theirs as well."""
    found: dict[str, list[str]] = {}
    spelt = {_name(config.slack.channel): config.slack.channel}
    for team, channel in sorted(config.slack.teams.items()):
        one = spelt.setdefault(_name(channel), channel)
        if one != config.slack.channel:
            found.setdefault(one, []).append(team)
    return found


def _name(channel: str) -> str:
    """A channel's name may be written with its sign or without."""
    return channel.removeprefix("#")


def _slug(teams: Sequence[str]) -> str:
    """A folder's name: readable, and never the same for other teams."""
    joined = "\n".join(sorted(teams))
    number = hashlib.blake2s(joined.encode("utf-8", "replace"), digest_size=3).hexdigest()
    readable = _UNSAFE.sub("-", "-".join(sorted(teams)).lower()).strip("-")[:40]
    return f"{readable}-{number}".lstrip("-")


def files(report: Report) -> dict[str, bytes]:
    """Everything that is kept of a report, by file name; the page comes first."""
    made = report.digest
    texts = {
        PAGE: to_html(made, report.drawings),
        "report.md": weekly_markdown(made),
        "report.json": weekly_json(made),
        "report.csv": to_csv(made.analysis),
    }
    pictures = {f"{one.name}.png": one.light for one in report.drawings}
    return {name: text.encode() for name, text in texts.items()} | pictures


def messages(report: Report, base_url: str) -> tuple[Message, Message]:
    """The message and the reply in its thread. ``base_url`` is where the daemon is reached."""
    locate = partial(page_url, base_url, str(report.folder))
    return weekly(report.digest, locate), details(report.digest, report.drawings)


def notices(report: Report, base_url: str) -> list[Notice]:
    """What is to be posted of it; nothing where it is posted nowhere."""
    if not report.channel:
        return []
    message, reply = messages(report, base_url)
    pictures = tuple(Picture(one.name, one.title, one.alt, one.light) for one in report.drawings)
    return [
        Notice(report.key, report.channel, message.text, message.blocks),
        Notice(
            report.reply_key,
            report.channel,
            reply.text,
            reply.blocks,
            parent=report.key,
            pictures=pictures,
        ),
    ]


def payloads(report: Report, base_url: str) -> bytes:
    """Both messages as Slack would be sent them, to be looked at."""
    made = [{"text": one.text, "blocks": list(one.blocks)} for one in messages(report, base_url)]
    return json.dumps(made, indent=2, ensure_ascii=False).encode() + b"\n"
