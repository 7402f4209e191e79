"""The page of the weekly report in a real browser: what a reader does with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import expect

from analyzer.model import WorkloadKey
from reports.html import to_html
from reports.links import anchor
from tests.browser.conftest import Open
from tests.reports import weeklies

WHITE, NIGHT = "rgb(255, 255, 255)", "rgb(18, 22, 27)"
COST, VERDICT = 4, 8


def key(name: str) -> WorkloadKey:
    """The key of the demo's workload of that name."""
    keys = [use.workload.key for use in weeklies.demo().analysis.workloads]
    return next(one for one in keys if one.name == name)


def place(name: str) -> str:
    return f"#{anchor(key(name))}"


def dollars(shown: list[str]) -> list[float | None]:
    return [None if one == "?" else float(re.sub("[$,]", "", one)) for one in shown]


def in_parts(name: str) -> list[str | int]:
    """Numbers in names count: 8b comes before 70b."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def test_a_column_of_figures_is_sorted_by_value_with_what_is_unknown_last(
    show: Open, tmp_path: Path
) -> None:
    week = weeklies.demo()
    first, *rest = week.analysis.workloads
    uses = (replace(first, cost_usd=None, idle_cost_usd=None), *rest)
    path = tmp_path / "report.html"
    unpriced = replace(week, analysis=replace(week.analysis, workloads=uses))
    path.write_text(to_html(unpriced, ()), encoding="utf-8")
    tab = show(path.as_uri())
    known = sorted(round(use.cost_usd, 2) for use in rest if use.cost_usd is not None)
    button = tab.page.get_by_role("button", name="Cost", exact=True)
    head = tab.page.locator("#workloads > thead th").nth(COST)
    button.click()
    assert dollars(tab.column(COST)) == [*reversed(known), None]
    expect(head).to_have_attribute("aria-sort", "descending")
    button.click()
    assert dollars(tab.column(COST)) == [*known, None]
    expect(head).to_have_attribute("aria-sort", "ascending")
    tab.page.get_by_role("button", name="Workload").click()
    assert tab.column(0) == sorted(tab.column(0), key=in_parts)
    assert head.get_attribute("aria-sort") is None


def test_sorting_takes_what_is_opened_along(show: Open) -> None:
    tab = show("demo", place("vicuna-13b-production"))
    tab.page.get_by_role("button", name="Workload").click()
    opened = tab.row(place("vicuna-13b-production")).locator("xpath=..")
    expect(opened.locator(".more")).to_contain_text("reduce-replicas 4 → 2")
    expect(opened.locator("svg")).to_be_visible()


def test_the_table_is_filtered_and_says_how_many_are_left(show: Open) -> None:
    tab = show("demo")
    total = len(weeklies.demo().analysis.workloads)
    status = tab.page.get_by_role("status")
    expect(status).to_have_text(f"{total} of {total} workloads shown")
    assert status.get_attribute("aria-live") == "polite"
    words = tab.page.get_by_label("Filter")
    words.fill("META-llama prod")
    uses = weeklies.demo().analysis.workloads
    meant = [
        f"{use.workload.key.namespace}/{use.workload.key.name}"
        for use in uses
        if use.environment == "production" and (use.model or "").startswith("meta-llama")
    ]
    assert sorted(tab.column(0)) == sorted(meant)
    expect(status).to_have_text(f"{len(meant)} of {total} workloads shown")
    words.fill("mistralai/")
    assert sorted(tab.column(0)) == [
        "llm-serving/mistral-7b-development",
        "llm-serving/mistral-7b-production",
        "llm-serving/mixtral-8x7b-production",
    ]
    words.fill("")
    tab.page.get_by_label("Environment").select_option("development")
    tab.page.get_by_label("Verdict").select_option("underused")
    assert tab.column(1) == ["development"] * len(tab.column(1))
    assert tab.column(VERDICT) == ["underused"] * len(tab.column(VERDICT))
    expect(status).to_have_text(f"2 of {total} workloads shown")
    words.fill("no such name")
    assert tab.column(0) == []
    expect(status).to_have_text(f"0 of {total} workloads shown")


@pytest.mark.parametrize("width", [1280, 360])
def test_a_deep_link_opens_its_workload_and_brings_it_into_view(show: Open, width: int) -> None:
    tab = show("demo", place("rerank-7b-production"), width=width)
    row = tab.row(place("rerank-7b-production"))
    expect(row).to_be_in_viewport()
    expect(tab.page.locator(place("rerank-7b-production"))).to_be_visible()
    expect(tab.page.locator("#workloads svg")).to_have_count(1)
    expect(row.locator("th a")).to_be_focused()
    expect(row.locator("th a")).to_have_attribute("aria-expanded", "true")
    tab.screenshot(f"deep-link-{width}")


def test_a_place_opens_by_a_link_elsewhere_and_closes_by_that_of_its_row(show: Open) -> None:
    tab = show("demo")
    first = tab.page.locator(".actions a").first
    at = first.get_attribute("href") or ""
    opened = tab.page.locator(at)
    expect(opened).to_be_hidden()
    tab.page.get_by_label("Filter").fill("no such name")
    first.click()
    expect(opened).to_be_visible()
    expect(tab.page.get_by_label("Filter")).to_have_value("")
    link = tab.row(at).locator("th a")
    link.click()
    expect(opened).to_be_hidden()
    expect(link).to_have_attribute("aria-expanded", "false")
    link.click()
    expect(opened).to_be_visible()
    other = tab.row(place("vicuna-13b-production")).locator("th a")
    other.click()
    tab.page.go_back()
    expect(opened).to_be_visible()
    expect(link).to_be_focused()


def test_everything_is_reached_by_keyboard(show: Open) -> None:
    tab = show("demo")
    press = tab.page.keyboard.press
    press("Tab")
    skip = tab.page.get_by_role("link", name="Skip to the report")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    press("Enter")
    expect(tab.page.locator("main")).to_be_focused()
    tab.page.get_by_label("Verdict").focus()
    for name in ("Workload", "Environment", "Team", "Replicas × GPUs", "Cost"):
        press("Tab")
        expect(tab.page.get_by_role("button", name=name, exact=True)).to_be_focused()
    assert tab.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    press("Enter")
    costs = dollars(tab.column(COST))
    assert costs == sorted(costs, key=lambda usd: -(usd or 0))
    for _ in range(6):
        press("Tab")
    body = tab.page.locator("#workloads > tbody").first
    expect(body.locator("th a").first).to_be_focused()
    press("Enter")
    expect(body.locator("svg")).to_be_visible()
    press("Enter")
    expect(body.locator("svg")).to_be_hidden()


@pytest.mark.parametrize(
    ("scheme", "ground", "shown", "hidden"),
    [("light", WHITE, ".light", ".dark"), ("dark", NIGHT, ".dark", ".light")],
)
def test_the_page_and_its_charts_follow_the_screen(
    show: Open, scheme: str, ground: str, shown: str, hidden: str
) -> None:
    tab = show("demo", color_scheme=scheme)
    assert tab.page.evaluate("getComputedStyle(document.body).backgroundColor") == ground
    for picture in tab.page.locator(f"img{shown}").all():
        expect(picture).to_be_visible()
        assert picture.evaluate("one => one.naturalWidth") > 500
    expect(tab.page.locator(f"img{hidden}:visible")).to_have_count(0)


@pytest.mark.parametrize("width", [360, 1024, 1600])
@pytest.mark.parametrize("week", weeklies.ALL)
def test_no_screen_has_to_be_scrolled_sideways(show: Open, week: str, width: int) -> None:
    tab = show(week, width=width)
    for link in tab.page.locator("#workloads > tbody > tr > th > a").all()[:8]:
        link.click()
    tab.page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert not tab.is_wider_than_screen()
    tab.screenshot(f"{week}-open-{width}", whole=week != "many")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("week", [name for name in weeklies.ALL if name != "many"])
def test_axe_finds_nothing_wrong(show: Open, week: str, width: int, scheme: str) -> None:
    tab = show(week, width=width, color_scheme=scheme)
    tab.screenshot(f"{week}-{scheme}-{width}")
    for link in tab.page.locator("#workloads > tbody > tr > th > a").all()[:4]:
        link.click()
    tab.page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert tab.violations() == []


def test_five_hundred_workloads_are_shown(show: Open) -> None:
    tab = show("many")
    expect(tab.page.get_by_role("status")).to_have_text("500 of 500 workloads shown")
    tab.page.get_by_label("Filter").fill("service-135")
    assert len(tab.column(0)) == 1
    assert tab.violations() == []
    tab.page.locator("#all").evaluate("one => one.scrollIntoView()")
    tab.screenshot("many-filtered")


def test_a_hostile_name_stays_text(show: Open) -> None:
    tab = show("hostile")
    shown = [name.partition("/")[2] for name in tab.column(0)]
    assert weeklies.EVIL in shown
    assert weeklies.LONG in shown
    assert "a|b\\u202egnp.exe" in shown
    assert "line\\x0abreak\\x1b[31m" in shown
    for link in tab.page.locator("#workloads > tbody > tr > th > a").all():
        link.click()
    expect(tab.page.locator("#workloads svg")).to_have_count(len(shown))
    assert tab.page.locator("img:not(.light, .dark), script:not(head > script)").count() == 0


def test_without_javascript_all_but_sort_filter_and_weeks_is_there(show: Open) -> None:
    tab = show("demo", place("vicuna-13b-production"), java_script_enabled=False)
    expect(tab.page.get_by_text("Without JavaScript this table")).to_be_visible()
    expect(tab.page.get_by_label("Filter")).to_be_hidden()
    opened = tab.page.locator(place("vicuna-13b-production"))
    expect(opened).to_be_in_viewport()
    expect(opened.get_by_text("Evidence: coverage 1")).to_be_visible()
    closed = tab.page.locator(place("rerank-7b-production"))
    expect(closed).to_be_hidden()
    closed.locator("xpath=..").locator("summary").click()
    expect(closed).to_contain_text("GPU metrics cover 76% of its GPU time")


def test_nothing_moves(show: Open) -> None:
    tab = show("demo", reduced_motion="reduce")
    tab.page.locator(".actions a").first.click()
    assert tab.page.evaluate("document.getAnimations().length") == 0
    assert tab.page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"


@pytest.mark.parametrize(("paper", "width"), [("portrait", 703), ("landscape", 1032)])
@pytest.mark.parametrize("week", ["demo", "hostile"])
def test_it_prints_whole_on_white(show: Open, week: str, paper: str, width: int) -> None:
    """A4 less 12 mm on each side is 186 by 273 mm: 703 by 1,032 pixels of 1/96 inch."""
    tab = show(week, width=width, color_scheme="dark")
    tab.page.locator("#workloads > tbody a").first.click()
    tab.page.emulate_media(media="print")
    assert not tab.is_wider_than_screen()
    cut = tab.page.evaluate(
        """() => [...document.querySelectorAll("body *")].filter(one =>
        one.checkVisibility() && one.getBoundingClientRect().right > innerWidth + 1
        && !one.matches(".skip")).map(one => one.outerHTML.slice(0, 80))"""
    )
    assert cut == []
    assert tab.page.evaluate("getComputedStyle(document.body).color") == "rgb(27, 33, 39)"
    expect(tab.page.locator("img.light").first).to_be_visible()
    for gone in ("#filter", "img.dark", ".skip"):
        assert tab.page.locator(f"{gone}:visible").count() == 0
    tab.screenshot(f"print-{week}-{paper}", whole=True)
    pdf = tab.page.pdf(format="A4", landscape=paper == "landscape")
    assert pdf.startswith(b"%PDF-")


def test_the_week_of_a_workload_is_drawn_and_told_by_day(
    show: Open, written: Callable[[str], Path]
) -> None:
    week = weeklies.demo()
    tab = show("demo", place("llama-8b-dev"))
    hours = week.hours[key("llama-8b-dev")]
    figure = tab.page.locator(f"{place('llama-8b-dev')} figure")
    cells = figure.locator("tbody tr").all()
    assert len(cells) == 7
    for day, row in enumerate(cells):
        part = slice(24 * day, 24 * day + 24)
        use = [one for one in hours.use[part] if one is not None]
        slept = sum(
            max(0.0, min(end, 24.0 * day + 24) - max(begin, 24.0 * day))
            for begin, end in hours.asleep
        )
        shown = row.locator("td").all_inner_texts()
        told = 0.0 if shown[0] == "?" else float(shown[0].strip("<%"))
        mean = 100 * sum(use) / len(use) if use else 0.0
        # A use is written in 64 levels: half of one is 0.8 %.
        assert told == pytest.approx(mean, abs=1.3), day
        held = [one for one in hours.replicas[part] if one is not None]
        assert float(shown[1]) == pytest.approx(sum(held) / len(held), abs=0.06), day
        assert float(shown[2]) == pytest.approx(slept, abs=0.06), day
    expect(figure.locator(".week-asleep").first).to_be_attached()
    assert figure.locator("rect.week-asleep").count() == len(hours.asleep) + 1
    labelled = figure.get_by_role("img", name="The week: GPU use by hour, and replicas")
    expect(labelled).to_be_visible()


def test_replicas_of_any_size_are_drawn_as_they_were(show: Open, tmp_path: Path) -> None:
    """A day of twelve, one of 1.5, the same again, one of none, one of 0.001 and one unknown."""
    week = weeklies.one()
    each = [12.0, 1.5, 1.5, 1.5, 0.0, 0.001, None]
    hours = {
        one: replace(had, replicas=tuple(number for number in each for _ in range(24)))
        for one, had in week.hours.items()
    }
    path = tmp_path / "report.html"
    path.write_text(to_html(replace(week, hours=hours), ()), encoding="utf-8")
    tab = show(path.as_uri())
    tab.page.locator("#workloads > tbody a").first.click()
    cells = tab.page.locator("#workloads figure tbody td:nth-child(3)")
    assert cells.all_inner_texts() == ["12", "1.5", "1.5", "1.5", "0", "0", "?"]


HUGE = 12_345_678_901.23


@pytest.mark.parametrize(
    ("usd", "width", "zoom"),
    [
        (None, 1000, 100),
        (None, 1280, 200),
        (None, 360, 200),
        (HUGE, 360, 100),
        (HUGE, 700, 200),
        (HUGE, 1000, 100),
        (HUGE, 1280, 200),
    ],
)
def test_a_headline_figure_is_whole_on_one_line(
    show: Open, tmp_path: Path, usd: float | None, width: int, zoom: int
) -> None:
    """``zoom`` is of text alone, in percent."""
    week = weeklies.many()
    if usd is not None:
        demo = weeklies.demo()
        totals = replace(demo.analysis.totals, cost_usd=usd, idle_cost_usd=0.9 * usd)
        week = replace(demo, analysis=replace(demo.analysis, totals=totals))
    path = tmp_path / "report.html"
    path.write_text(to_html(week, ()), encoding="utf-8")
    tab = show(path.as_uri(), width=width)
    tab.page.evaluate(
        """zoom => { const sheet = document.styleSheets[0];
        sheet.insertRule(`html { font-size: ${zoom}% }`, sheet.cssRules.length); }""",
        zoom,
    )
    figures = tab.page.locator(".figures data")
    assert len(figures.all()) >= 4
    for one in figures.all():
        assert one.evaluate("one => one.getClientRects().length") == 1
        right = one.evaluate("one => one.getBoundingClientRect().right")
        assert right <= one.locator("xpath=ancestor::div[1]").evaluate(
            "one => one.getBoundingClientRect().right"
        )
        assert right <= width
    if zoom == 100:
        assert not tab.is_wider_than_screen()


def test_a_gap_is_told_apart_from_no_use(show: Open) -> None:
    tab = show("demo", place("rerank-7b-production"))
    gaps = tab.page.locator(f"{place('rerank-7b-production')} path.week-gap").first
    assert len(gaps.get_attribute("d") or "") > 100
    assert tab.page.get_by_text("not measured", exact=True).count() == 1
    busy = show("demo", place("mixtral-8x7b-production"))
    none = busy.page.locator(f"{place('mixtral-8x7b-production')} path.week-gap").first
    assert none.get_attribute("d") == ""
    # It slept: where it held no GPU there was nothing to measure.
    asleep = show("demo", place("llama-8b-dev"))
    assert asleep.page.get_by_text("asleep", exact=True).count() == 1
    none = asleep.page.locator(f"{place('llama-8b-dev')} path.week-gap").first
    assert none.get_attribute("d") == ""


def test_a_day_on_which_the_clock_is_changed_has_its_hours(show: Open) -> None:
    tab = show("clock-change")
    tab.page.locator("#workloads > tbody > tr > th > a").first.click()
    days = tab.page.locator("#workloads figure tbody th")
    assert days.all_inner_texts() == [
        "Mon 19",
        "Tue 20",
        "Wed 21",
        "Thu 22",
        "Fri 23",
        "Sat 24",
        "Sun 25",
    ]
    assert tab.page.evaluate("document.getElementById('workloads').dataset.days").endswith(
        "120 Sat 24,144 Sun 25"
    )
