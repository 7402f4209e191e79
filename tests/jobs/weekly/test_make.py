"""A week's reports: where each is kept, where it is told, and that it can be written at all."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import pytest

from analyzer.config import Config
from analyzer.sleep.model import Slept
from jobs.periods import Period
from jobs.reading import Looked
from jobs.weekly import make
from jobs.weekly.make import Report, files, messages, notices, payloads, reports_of
from jobs.wiring import analysed
from reports.digest import Past
from tests import builders
from tests.builders import NOW
from tests.fakes.slack import limits
from tests.reports import weeklies

PERIOD = Period("2026-W47", builders.window().start, NOW, NOW, weeklies.HOUR * 168)


def config(channel: str = "#gpus", **teams: str) -> Config:
    usual = Config()
    slack = replace(usual.slack, channel=channel, token_env="TOKEN", teams=teams)
    return replace(usual, slack=slack)


@pytest.fixture(autouse=True)
def _without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes longer than all the rest; the pictures have tests of their own."""
    monkeypatch.setattr(make, "drawings", lambda *_: ())


def looked(*teams: str) -> Looked:
    """A workload of each team."""
    workloads = tuple(
        builders.workload(f"w{n}", pod_labels={"team": team}) for n, team in enumerate(teams)
    )
    use = tuple(builders.gpu_use(one.key, work=0.0) for one in workloads)
    snapshot = builders.snapshot(workloads=workloads, use=use)
    return Looked(snapshot, analysed(Config(), snapshot, NOW))


def reports(settings: Config, *teams: str) -> list[Report]:
    return reports_of(PERIOD, looked(*teams), lambda _: Past(), settings)


def by_channel(settings: Config) -> dict[str, tuple[str, ...]]:
    return {one.channel: one.digest.teams for one in reports(settings, "a", "b", "c")}


def test_everything_is_told_in_the_channel_of_everything() -> None:
    [whole] = reports(config(), "a", "b")
    assert (whole.channel, whole.folder) == ("#gpus", PurePosixPath("2026-W47"))
    assert whole.key == "weekly-report 2026-W47 of main @#gpus"
    assert len(whole.digest.analysis.workloads) == 2


def test_teams_that_share_a_channel_share_a_report() -> None:
    settings = config(a="#one", b="#two", c="#one")
    assert by_channel(settings) == {"#gpus": (), "#one": ("a", "c"), "#two": ("b",)}


def test_a_channel_is_the_same_with_its_sign_and_without() -> None:
    """Else a channel would be told of one week twice."""
    settings = config(a="gpus", b="one", c="#one")
    assert by_channel(settings) == {"#gpus": (), "one": ("b", "c")}
    assert by_channel(config("gpus", a="#gpus")) == {"gpus": ()}


def test_what_the_ledger_knows_is_asked_for_each_team() -> None:
    asked = []

    def past(teams: Any) -> Past:
        asked.append(tuple(teams))
        return Past(weeks=(weeklies.week("2026-W46", cost=10.0 + len(teams)),))

    made = reports_of(PERIOD, looked("a", "b"), past, config(a="#x", b="#x"))
    assert asked == [(), ("a", "b")]
    assert [one.digest.before[0].total.cost_usd for one in made] == [10.0, 12.0]


def test_a_team_whose_label_nobody_has_gets_an_empty_report() -> None:
    whole, empty = reports(config(nobody="#x"), "a")
    assert empty.digest.analysis.workloads == ()
    assert limits.problem(_message(empty)) == ""
    assert len(whole.digest.analysis.workloads) == 1


def _message(report: Report) -> dict[str, Any]:
    message, _ = messages(report, "")
    return {"text": message.text, "blocks": list(message.blocks)}


@pytest.mark.parametrize(
    "team",
    ["../../etc/passwd", "a/b", "..", "", "ä", "A B", "x" * 300, "-rf", "a\\b", "CON", "\ud800"],
)
def test_a_folder_is_one_safe_name_below_that_of_the_week(team: str) -> None:
    settings = replace(config(), slack=replace(config().slack, teams={team: "#x"}))
    _, report = reports(settings, team)
    week, name = report.folder.parts
    assert week == "2026-W47"
    assert re.fullmatch(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", name)
    assert len(name) <= 50


def test_no_two_teams_share_a_folder() -> None:
    names = ("a b", "a-b", "A b", "a", "b", "ab", "ä", "ö", "x" * 60, "x" * 61)
    settings = replace(
        config(), slack=replace(config().slack, teams={n: f"#{i}" for i, n in enumerate(names)})
    )
    folders = [str(one.folder) for one in reports(settings, *names)]
    assert len({folder.lower() for folder in folders}) == len(names) + 1
    assert make._slug(("Chat Team",)).startswith("chat-team-")
    # The order of teams in a channel does not matter.
    assert make._slug(("a", "b")) == make._slug(("b", "a"))


def test_files_are_the_page_first() -> None:
    [report] = reports(config(), "a")
    assert list(files(report)) == ["report.html", "report.md", "report.json", "report.csv"]


@pytest.mark.parametrize("name", ["hostile", "empty", "half-down", "first-week"])
def test_whatever_is_in_a_week_it_can_be_written_and_posted(name: str) -> None:
    report = Report(weeklies.ALL[name](), (), PurePosixPath("w"), "#x")
    written = files(report)
    assert json.loads(written["report.json"])["week"]["name"] == "2026-W47"
    for one in json.loads(payloads(report, "https://a.example")):
        assert limits.problem(one) == ""


def test_names_that_are_no_text_can_be_written() -> None:
    odd = "a\ud800b"
    made = reports_of(
        PERIOD,
        looked(odd),
        lambda _: Past(sleeps=(_slept(odd),), problems=(odd,)),
        config(),
    )
    assert b"\\ud800" in files(made[0])["report.md"]
    assert json.loads(payloads(made[0], ""))


def _slept(name: str) -> Slept:
    begin = builders.window().start
    of = builders.key(name)
    return Slept(of, "u", begin, NOW - weeklies.HOUR, 1.0, None, (), "x", None, f"of {name}")


def test_a_message_leads_to_its_own_page() -> None:
    whole, team = reports(config(a="#x"), "a")
    for report in (whole, team):
        shown = json.dumps(messages(report, "https://thrift.example/")[0].blocks)
        assert f"<https://thrift.example/reports/{report.folder}/report.html|" in shown
        assert "/reports/" not in json.dumps(messages(report, "")[0].blocks)


def test_a_message_and_its_reply_have_keys_of_week_and_channel() -> None:
    _, team = reports(config(a="#x"), "a")
    message, reply = notices(team, "")
    assert (message.key, message.channel, message.parent) == (
        "weekly-report 2026-W47 of main @#x",
        "#x",
        "",
    )
    assert (reply.key, reply.channel, reply.parent) == (
        "weekly-report 2026-W47 of main details @#x",
        "#x",
        message.key,
    )
    assert [one.mark for one in (message, reply)] == [
        "weekly-report 2026-W47 of main",
        "weekly-report 2026-W47 of main details",
    ]
    assert message.blocks == messages(team, "")[0].blocks


def test_what_is_posted_nowhere_has_no_messages() -> None:
    [whole] = reports(Config(), "a")
    assert (whole.channel, notices(whole, "")) == ("", [])


def test_daemons_of_other_clusters_tell_one_channel_each_their_own() -> None:
    [whole] = reports(config())
    other = replace(whole.digest.analysis, clusters=("west", "east"))
    moved = replace(whole, digest=replace(whole.digest, analysis=other))
    assert moved.key == "weekly-report 2026-W47 of east,west @#gpus"
    assert notices(moved, "")[0].mark != notices(whole, "")[0].mark
    many = replace(other, clusters=tuple(f"cluster-{n}" for n in range(50)))
    assert len(replace(whole, digest=replace(whole.digest, analysis=many)).key) < 80
