"""Pages of weeks of every sort, and a browser to look at them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from reports.html import to_html
from reports.pictures import drawings
from tests.browser.tab import Tab, chromium
from tests.reports import weeklies

Open = Callable[..., Tab]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="package")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """``written("demo")`` is the file of that week's page."""
    folder = tmp_path_factory.mktemp("pages")

    @cache
    def write(name: str) -> Path:
        digest = weeklies.ALL[name]()
        path = folder / name / "report.html"
        path.parent.mkdir()
        path.write_text(to_html(digest, drawings(digest, None)), encoding="utf-8")
        return path

    return write


@pytest.fixture
def show(browser: Browser, written: Callable[[str], Path]) -> Iterator[Open]:
    """``show("demo", "#w-…", width=360, color_scheme="dark")`` opens a page, or an address. When
    the test ends nothing may have been complained of."""
    tabs = []
    with ExitStack() as opened:

        def open_(what: str, place: str = "", *, width: int = 1280, **context: Any) -> Tab:
            made = browser.new_context(viewport={"width": width, "height": 800}, **context)
            opened.callback(made.close)
            tab = Tab(made.new_page())
            tabs.append(tab)
            url = what if "://" in what else written(what).as_uri()
            tab.page.goto(url + place)
            return tab

        yield open_
    assert [one for tab in tabs for one in tab.complaints] == []
