"""Reads the configuration again while the daemon runs: takes what is safe, and says what is not."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from analyzer.config import Config
from analyzer.config.reader import keys
from analyzer.errors import ConfigError, GpuThriftError

log = logging.getLogger("gpu_thrift.config")

FIXED = {
    "ledger": "what was begun in one ledger has to be ended in it",
    "leadership": "two daemons that look in different places would both lead",
    "web": "its port is open",
}
"""Sections that stay as they were at the start, each with the reason."""


class Reloader:
    """``load`` reads the file, ``check`` refuses what the daemon could not work with; both raise
    ``GpuThriftError``."""

    def __init__(
        self,
        config: Config,
        load: Callable[[], Config],
        check: Callable[[Config], None] = lambda _: None,
    ) -> None:
        self.config = config
        self.problem = ""
        """Why the file as it is now is not in force; empty if it is."""
        self._load = load
        self._check = check
        self._mark = self._looked = _mark(config.path)

    def changed(self) -> bool:
        """Whether the file is another one than when it was last read, and has been since the last
        look: it may be in the middle of being written. A mounted ConfigMap changes by a link that
        leads elsewhere."""
        before, self._looked = self._looked, _mark(self.config.path)
        return self._looked != self._mark and self._looked == before

    def reload(self) -> bool:
        """Reads the file; what is good is in force from then on. Returns whether it was."""
        self._mark = _mark(self.config.path)
        try:
            _check_written(self.config.path)
            found = self._load()
            self._check(found)
        except GpuThriftError as error:
            self._say(f"the configuration stays as it was: {error}", logging.ERROR)
            return False
        kept = {name: getattr(self.config, name) for name in FIXED}
        refused = [line for name in FIXED for line in _differences(name, self.config, found)]
        self.config = replace(found, **kept)
        self.problem = ""
        log.info("%s: read again, in force", found.path or "defaults")
        if refused:
            self._say(f"needs a restart: {'; '.join(refused)}", logging.WARNING)
        return not refused

    def _say(self, problem: str, level: int) -> None:
        self.problem = problem
        log.log(level, "%s", problem)


def _differences(name: str, old: Config, new: Config) -> list[str]:
    was, now = getattr(old, name), getattr(new, name)
    changed = [key for key in keys(type(was)) if getattr(was, key) != getattr(now, key)]
    told = ", ".join(changed)
    return [f"[{name}] {told} ({FIXED[name]})"] if changed else []


def _check_written(path: Path | None) -> None:
    """A file that lost all it had is more likely to be written just now than meant."""
    try:
        if path is not None and path.stat().st_size == 0:
            raise ConfigError(f"{path}: is empty; expected settings, if only a comment")
    except OSError:
        return


def _mark(path: Path | None) -> object:
    """Tells one version of a file from the next."""
    if path is None:
        return None
    try:
        found = path.stat()
    except OSError:
        return "missing"
    return found.st_ino, found.st_mtime_ns, found.st_size
