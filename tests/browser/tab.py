"""A real Chromium that shows one page, and writes down whatever it should not do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Dialog, Locator, Page, Request, sync_playwright

from tests.servers import need

SCREENSHOTS = Path(os.environ.get("SCREENSHOTS", "build/screenshots"))


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's browser, without a window."""
    need("chromium", package="chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@dataclass
class Tab:
    """``complaints`` are messages of the console, errors, dialogs, and requests for anything but
    the page itself."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda said: self.complaints.append(f"console: {said.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("request", lambda asked: self._asked(asked.url))
        self.page.on("requestfailed", self._failed)
        self.page.on("dialog", self._dialog)

    def _asked(self, url: str) -> None:
        if not url.startswith("data:") and not self._is_page(url):
            self.complaints.append(f"request: {url}")

    def _is_page(self, url: str) -> bool:
        """The page, or the folder that leads to it."""
        address = url.partition("#")[0]
        return address.endswith("/report.html") or address.rstrip("/").endswith("/demo")

    def _failed(self, request: Request) -> None:
        """What the policy refused has not left; the console tells of it."""
        asked = f"request: {request.url}"
        if request.failure == "csp" and asked in self.complaints:
            self.complaints.remove(asked)

    def _dialog(self, dialog: Dialog) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def row(self, place: str) -> Locator:
        """The first row of the workload whose place that is (``#w-…``)."""
        return self.page.locator(f'#workloads > tbody > tr:has(> th > a[href="{place}"])')

    def column(self, number: int) -> list[str]:
        """What the visible rows show in a column, in their order."""
        shown: list[str] = self.page.evaluate(
            """number => [...document.querySelectorAll("#workloads > tbody")]
            .filter(body => !body.hidden)
            .map(body => body.rows[0].cells[number].textContent.trim())""",
            number,
        )
        return shown

    def violations(self) -> list[str]:
        """What axe-core finds, a line each."""
        found = Axe().run(self.page).response
        assert len(found["passes"]) > 10, "axe did not look"
        return [
            f"{one['id']}: {node['html'][:200]}"
            for one in found["violations"]
            for node in one["nodes"]
        ]

    def is_wider_than_screen(self) -> bool:
        wider: bool = self.page.evaluate(
            "document.scrollingElement.scrollWidth > document.scrollingElement.clientWidth"
        )
        return wider

    def screenshot(self, name: str, *, whole: bool = False) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=whole)
