"""The page of the weekly report as text: what it says, what it holds, and what it may do."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest

from analyzer.model import Window
from analyzer.rhythm import Hours
from reports.digest import Digest
from reports.digest_json import weekly_document
from reports.drawing import Drawing
from reports.html import marked, to_html
from reports.links import anchor
from reports.page_weeks import days, drawn
from tests import builders as make
from tests import golden
from tests.reports import weeklies

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (640).to_bytes(4, "big") + (360).to_bytes(4, "big")
WEEKS = [name for name in weeklies.ALL if name != "many"]
VOID = {"meta", "img", "input", "link", "br", "hr", "source"}


def picture(name: str = "spend", size: int = 0) -> Drawing:
    light, dark = PNG + b"l" * size, PNG + b"d" * size
    return Drawing(name, f"Title of {name}", f"Words of {name}", light, dark, ("A",), (("1",),))


@dataclass
class Figure:
    """A figure, the workload that was linked to before it, and the text that shows it."""

    key: str
    value: str
    place: str
    shown: str = ""


@dataclass
class Parsed(HTMLParser):
    """What a page holds."""

    text: str
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    inline: dict[str, str] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._inside, self._place = "", ""
        self.feed(self.text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = dict(attrs)
        self.tags.append((tag, made))
        self._inside = tag
        if tag == "a" and (made["href"] or "").startswith("#w-"):
            self._place = made["href"] or ""
        if tag == "data":
            self.figures.append(Figure(made["data-key"] or "", made["value"] or "", self._place))

    def handle_data(self, data: str) -> None:
        if self._inside in ("style", "script"):
            self.inline[self._inside] = data
        elif self._inside == "data":
            self.figures[-1].shown += data
        self.words.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def values(self, name: str) -> list[str]:
        """Every value of an attribute."""
        return [made[name] or "" for _, made in self.tags if name in made]


def page(name: str) -> str:
    return to_html(weeklies.ALL[name](), (picture(),))


def body(text: str) -> str:
    """A page less its style, its script and their hashes, which have tests of their own."""
    text = re.sub(r"<(style|script)>.*?</\1>", r"<\1></\1>", text, flags=re.S)
    return re.sub(r"sha256-[^']*", "sha256-", text)


@pytest.mark.parametrize("name", sorted(weeklies.ALL))
def test_the_page_is_the_golden_one(name: str) -> None:
    golden.check(f"page/{name}.html", body(to_html(weeklies.ALL[name](), ())))


@pytest.mark.parametrize("name", WEEKS)
def test_the_same_week_gives_the_same_page(name: str) -> None:
    assert page(name) == page(name)


def dig(document: dict[str, Any], path: str) -> Any:
    found: Any = document
    for part in path.split("."):
        found = None if found is None else found[part]
    return found


def dollars(usd: float | None) -> str:
    """As the page shows them; a sentence leaves the sign to its words."""
    return "?" if usd is None else f"${abs(usd):,.2f}"


@pytest.mark.parametrize("name", [*WEEKS, "many"])
def test_every_figure_of_the_summary_is_that_of_the_document(name: str) -> None:
    digest = weeklies.ALL[name]()
    document = weekly_document(digest)
    found = [one for one in Parsed(to_html(digest, ())).figures if "." in one.key]
    for one in found:
        value = dig(document, one.key)
        assert (float(one.value) if one.value else None) == value, one
        if "coverage" not in one.key:
            assert one.shown == dollars(value), one
    headline = {"totals.cost_usd", "totals.idle_cost_usd", "totals.coverage", "week.nights.usd"}
    assert headline <= {one.key for one in found}


def test_dollars_in_sentences_are_figures_too() -> None:
    keys = Counter(one.key for one in Parsed(page("demo")).figures)
    assert keys["week.nights.usd"] == 2
    for key in (
        "savings.worth_usd_per_month",
        "savings.saves_usd_per_month",
        "week.realised.realised_usd_per_month",
        "week.realised.predicted_usd_per_month",
    ):
        assert keys[key] == 1, key


@pytest.mark.parametrize("name", [*WEEKS, "many"])
def test_every_workload_has_the_figures_of_the_document(name: str) -> None:
    digest = weeklies.ALL[name]()
    of_places: dict[str, list[tuple[str, str]]] = {}
    text = to_html(digest, ())
    for place, key, shown in of_rows(text):
        of_places.setdefault(place, []).append((key, re.sub(r"[$,?]", "", shown)))
    for one in Parsed(text).figures:
        if one.key.endswith(("cost_usd", "per_month")):
            assert one.shown == dollars(float(one.value) if one.value else None), one
        if one.place:
            of_places[one.place].append((one.key, one.value))
    keys = {str(use.workload.key): use.workload.key for use in digest.analysis.workloads}
    told = weekly_document(digest)["workloads"]
    assert len(told) == len(keys)
    for one in told:
        key = keys[f"{one['cluster']}/{one['namespace']}/{one['kind']}/{one['name']}"]
        missing = set(expected(one)) - set(of_places[f"#{anchor(key)}"])
        assert not missing, key


def of_rows(text: str) -> Iterator[tuple[str, str, str]]:
    """Of each row of the table of workloads its place, and figures by the keys of their columns."""
    table = text.partition('<table id="workloads"')[2]
    heads = re.findall("<th scope=.col.([^>]*)>", table.partition("</thead>")[0])
    for place, cells in re.findall(
        "<th scope=row><a href=(#[^>]+)>.*?</a>(.*?)<tr class=more>", table
    ):
        for head, cell in zip(heads[1:], re.split("<td[^>]*>", cells)[1:], strict=True):
            if head:
                yield place, head.partition("data-key=")[2].strip('"'), cell


def expected(workload: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The dollars that a workload's place has to show, of the document's object."""
    for key in ("cost_usd", "idle_cost_usd"):
        yield key, "" if workload[key] is None else f"{workload[key]:.2f}"
    for one in workload["recommendations"]:
        saves, worth = one["saves_usd_per_month"], one["worth_usd_per_month"]
        if saves:
            yield "saves_usd_per_month", f"{saves:.2f}"
        if worth is not None and worth != saves:
            yield "worth_usd_per_month", f"{worth:.2f}"


@pytest.mark.parametrize("name", WEEKS)
def test_the_policy_names_what_is_inside_and_allows_nothing_else(name: str) -> None:
    parsed = Parsed(page(name))
    kinds = Counter(tag for tag, _ in parsed.tags)
    assert (kinds["style"], kinds["script"], kinds["link"], kinds["iframe"]) == (1, 1, 0, 0)
    policy = next(
        made["content"]
        for _, made in parsed.tags
        if made.get("http-equiv") == "Content-Security-Policy"
    )
    hashes = {
        tag: base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for tag, text in parsed.inline.items()
    }
    assert policy == (
        "default-src 'none'; img-src data:; "
        f"style-src 'sha256-{hashes['style']}'; script-src 'sha256-{hashes['script']}'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert "'sha256-" in page(name)[:2048]


@pytest.mark.parametrize("name", WEEKS)
def test_nothing_comes_from_elsewhere_and_no_attribute_runs(name: str) -> None:
    parsed = Parsed(page(name))
    for tag, made in parsed.tags:
        for attribute, value in made.items():
            assert attribute != "style", tag
            assert not attribute.startswith("on"), tag
            if attribute in ("src", "srcset", "href", "action"):
                assert (value or "").startswith(("data:image/png;base64,", "#")), (tag, value)
    assert "url(" not in parsed.inline["style"]
    assert "@import" not in parsed.inline["style"]
    script = parsed.inline["script"].replace("http://www.w3.org/2000/svg", "")
    for way in ("innerHTML", "insertAdjacent", "document.write", "eval(", "fetch(", "://"):
        assert way not in script


@pytest.mark.parametrize("name", WEEKS)
def test_its_structure_is_sound(name: str) -> None:
    parsed = Parsed(page(name))
    ids = parsed.values("id")
    assert [one for one, count in Counter(ids).items() if count > 1] == []
    for target in parsed.values("href"):
        assert target[1:] in ids, target
    for named in parsed.values("aria-labelledby"):
        assert named in ids
    levels = [int(tag[1]) for tag, _ in parsed.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    for before, after in pairwise(levels):
        assert after <= before + 1
    for tag, made in parsed.tags:
        if tag == "th":
            assert made.get("scope") in ("col", "row")
        if tag == "img":
            assert made["alt"]
    kinds = Counter(tag for tag, _ in parsed.tags)
    assert kinds["table"] == kinds["caption"]
    assert (kinds["main"], kinds["header"], kinds["footer"]) == (1, 1, 1)
    assert next(made for tag, made in parsed.tags if tag == "html") == {"lang": "en"}


def test_a_hostile_name_is_text() -> None:
    text = page("hostile")
    parsed = Parsed(text)
    assert {made.get("class") for tag, made in parsed.tags if tag == "img"} == {"light", "dark"}
    words = "".join(parsed.words)
    assert weeklies.EVIL in words
    assert weeklies.LONG in words
    assert "a|b\\u202egnp.exe" in words
    assert "\u202e" not in text
    assert "\x1b" not in text
    text.encode()


def test_each_workload_has_the_place_that_links_lead_to() -> None:
    demo = weeklies.demo()
    ids = Parsed(page("demo")).values("id")
    for use in demo.analysis.workloads:
        assert ids.count(anchor(use.workload.key)) == 1


def test_a_workload_that_is_gone_is_named_and_not_linked_to() -> None:
    week = weeklies.typical()
    assert week.realised is not None
    gone = replace(week.realised.entries[0], key=make.key("gone-for-good"))
    text = to_html(replace(week, realised=replace(week.realised, entries=(gone,))), ())
    assert "inference/gone-for-good" in text
    ids, targets = Parsed(text).values("id"), Parsed(text).values("href")
    assert {target[1:] for target in targets} <= set(ids)


def test_a_chart_has_words_a_table_and_its_size() -> None:
    text = page("one")
    tags = Parsed(text).tags
    light, dark = (made for tag, made in tags if tag == "img")
    assert (light["alt"], light["width"], light["height"]) == ("Words of spend", "640", "360")
    assert base64.b64decode((light["src"] or "").partition(",")[2]) == picture().light
    assert base64.b64decode((dark["src"] or "").partition(",")[2]) == picture().dark
    assert '<th scope="row">1</th>' in text


def test_an_empty_fleet_is_a_page_that_says_so() -> None:
    text = to_html(weeklies.empty(), ())
    for said in (
        "Nothing is advised: no workload held a GPU.",
        "No production workload is idle or underused.",
        "Nothing was put to sleep.",
        "Not known: nothing told how many GPUs the nodes have.",
        "No inference server counted tokens.",
        "No recommendation was followed",
        "No workload held a GPU in this week.",
        "No price is known for these GPUs.",
    ):
        assert said in text
    for absent in ("<table", "<img", 'id="filter"', 'id="charts"'):
        assert absent not in text


def test_what_is_missing_is_said_at_the_top_and_explained() -> None:
    words = " ".join("".join(Parsed(page("half-down")).words).split())
    assert "Not in any figure: 1 of 2 clusters could not be read." in words
    assert "eu-2: Prometheus of eu-2 cannot be reached: connection refused" in words
    assert "the ledger is locked" in words
    assert "Prometheus has no samples from Thursday 12:00 on" in words


def test_a_teams_page_leaves_out_what_belongs_to_no_team() -> None:
    week = replace(weeklies.typical(), teams=("chat",), unallocated=())
    text = to_html(week, ())
    assert "<h1>GPU report 2026-W47 of chat</h1>" in text
    assert "Asked for by nobody" not in text


def test_three_actions_come_first_and_say_what_they_are_worth() -> None:
    demo = weeklies.demo()
    text = page("demo")
    actions = text[text.index('class="actions"') : text.index("</ol>")]
    assert re.findall('<h3><a href="#([^"]+)">', actions) == [
        anchor(one.use.workload.key) for one in demo.actions[:3]
    ]
    assert re.findall("<data value=([0-9.]+) data-key=worth_usd_per_month>", actions) == [
        f"{one.advised.saving.worth_usd_per_month:.2f}" for one in demo.actions[:3]
    ]


def hours(
    use: list[float | None], replicas: list[float | None], *asleep: tuple[float, float]
) -> Hours:
    return Hours(datetime(2026, 11, 16, tzinfo=UTC), tuple(use), tuple(replicas), asleep)


def test_a_week_is_written_in_few_characters() -> None:
    """64 digits: 0 is none, _ (63) all; half is 31.5, which is rounded to the even 32, W."""
    made = drawn(hours([0.0, None, 1.0, 0.5, 0.0001], [2.0, 2.0, None, 1.5, 0.0], (12.5, 24.0)))
    assert (made.use, made.replicas, made.asleep) == ("0._W1", "22?1.500", "12.5~24")
    idle = drawn(hours([0.0] * 168, [4.0] * 168))
    assert (idle.use, idle.replicas, idle.asleep) == ("0~168~", "4~168~", "")


def test_replicas_that_are_those_of_the_day_before_are_not_repeated() -> None:
    """Twelve hours with one, twelve with 5.25, and that for a week, but for one hour with 12."""
    held: list[float | None] = ([1.0] * 12 + [5.25] * 12) * 7
    assert drawn(hours([0.0] * 168, held)).replicas == "1~12~5.25~12~*~144~"
    held[-1] = 12.0
    held[0] = 0.001
    made = drawn(hours([0.0] * 168, held)).replicas
    assert made == "(0.001)1~11~5.25~12~1*~142~(12)"


@pytest.mark.parametrize(
    ("zone", "begin", "count", "expected"),
    [
        ("UTC", datetime(2026, 11, 16, tzinfo=UTC), 48, "0 Mon 16,24 Tue 17"),
        # Clocks go back on Sunday at 3:00: that day has 25 hours.
        ("Europe/Berlin", datetime(2026, 10, 24, 22, tzinfo=UTC), 49, "0 Sun 25,25 Mon 26"),
        # And forward: 23 hours.
        ("Europe/Berlin", datetime(2026, 3, 28, 23, tzinfo=UTC), 47, "0 Sun 29,23 Mon 30"),
        ("Asia/Kolkata", datetime(2026, 11, 16, tzinfo=UTC), 24, "0 Mon 16,18.5 Tue 17"),
    ],
)
def test_days_begin_by_the_reports_clock(
    zone: str, begin: datetime, count: int, expected: str
) -> None:
    window = Window(begin, begin + timedelta(hours=count))
    assert days(make.analysis(window=window, timezone=zone)) == expected


def test_dollars_in_a_sentence_are_figures_in_their_order() -> None:
    text = marked("<b>: $1.50 & $1.50, costs $2,000.00", (("a", 1.5), ("b", 1.5), ("c", -2000.0)))
    assert text == (
        "&lt;b&gt;: <data value=1.50 data-key=a>$1.50</data> &amp; "
        "<data value=1.50 data-key=b>$1.50</data>, costs "
        "<data value=-2000.00 data-key=c>$2,000.00</data>"
    )
    assert marked("nothing known", (("a", None), ("b", 3.0))) == "nothing known"


def test_what_is_not_known_is_never_a_number() -> None:
    week: Digest = weeklies.one()
    use = replace(
        week.analysis.workloads[0],
        cost_usd=None,
        idle_cost_usd=float("nan"),
        coverage=None,
        utilisation=None,
        gpu_model=None,
    )
    text = to_html(replace(week, analysis=replace(week.analysis, workloads=(use,))), ())
    row = text[text.index("<tbody><tr><th scope=row>") : text.index("<tr class=more>")]
    assert [cell for _, _, cell in of_rows(text)] == ["?", "?"]
    assert row.count(">?") == 4
    assert "nan" not in row.lower()


@pytest.mark.parametrize(
    ("usd", "shown"), [(0.00412, "$0.0041"), (0.0123, "$0.0123"), (2.5, "$2.50")]
)
def test_a_million_tokens_cost_what_they_cost_elsewhere(usd: float, shown: str) -> None:
    """Dollars of a rate are finer than cents where cents would leave nothing."""
    week = weeklies.typical()
    models = tuple(replace(one, usd_per_million_tokens=usd) for one in week.models)
    found = Parsed(to_html(replace(week, models=models), ())).figures
    assert [one.shown for one in found if one.key == "usd_per_million_tokens"] == [shown]


def test_a_headline_that_is_not_known_has_no_number() -> None:
    """Nothing was heard: a program reads no zero where people see a question mark."""
    digest = weeklies.empty()
    unheard = replace(digest, this=replace(digest.this, hours=0.0))
    found = {one.key: (one.shown, one.value) for one in Parsed(to_html(unheard, ())).figures}
    assert found["totals.cost_usd"] == found["totals.idle_cost_usd"] == ("?", "")
