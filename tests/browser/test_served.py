"""The page as the daemon serves it, below the policy of the page and that of the server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from jobs.metrics import Metrics
from jobs.web import WebServer, application
from reports.links import anchor
from tests.browser.conftest import Open
from tests.jobs.test_web import Stub
from tests.reports import weeklies


@pytest.fixture
def base(written: Callable[[str], Path]) -> Iterator[str]:
    """The address of the reports; the demo's is in the folder ``demo``."""
    folder = written("demo").parent.parent
    server = WebServer(application(Stub(), Metrics(()), folder), "127.0.0.1", 0)
    server.start()
    yield f"http://127.0.0.1:{server.port}/reports"
    server.close()


@pytest.mark.parametrize("folder", ["demo", "demo/"])
def test_a_link_to_a_week_leads_to_the_workload(show: Open, base: str, folder: str) -> None:
    first = weeklies.demo().actions[0].use.workload.key
    tab = show(f"{base}/{folder}#{anchor(first)}")
    assert tab.page.url == f"{base}/demo/report.html#{anchor(first)}"
    expect(tab.page.locator(f"#{anchor(first)}")).to_be_visible()
    tab.page.get_by_role("button", name="Cost", exact=True).click()
    assert tab.violations() == []


@pytest.mark.parametrize("served", [True, False], ids=["served", "from a file"])
def test_whatever_gets_into_the_page_neither_runs_nor_loads(
    show: Open, base: str, served: bool
) -> None:
    tab = show(f"{base}/demo/report.html" if served else "demo")
    tried = tab.page.evaluate(
        """async base => {
          const add = (name, of) =>
            document.body.append(Object.assign(document.createElement(name), of));
          add("script", { textContent: "document.title = 'run'" });
          add("script", { src: `${base}/demo/report.html` });
          add("img", { src: `${base}/x.png` });
          add("iframe", { src: `${base}/demo/report.html` });
          const evil = "<img src=y onerror='document.title = 1'>";
          add("div", { innerHTML: `<p id=styled style='color: red'>x${evil}` });
          const styled = getComputedStyle(document.getElementById("styled")).color;
          const sent = await fetch(`${base}/`).then(() => "sent", () => "refused");
          await new Promise(done => setTimeout(done, 200));
          return [document.title, styled === "rgb(255, 0, 0)", sent];
        }""",
        base,
    )
    assert tried == ["GPU report 2026-W47", False, "refused"]
    assert [one for one in tab.complaints if "Content Security Policy" not in one] == []
    assert len(tab.complaints) >= 6
    tab.complaints.clear()
