"""What a command is given: the configuration when it asks for it, the clock and the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from analyzer.config import Config, load


@dataclass
class App:
    """The configuration is read at its first use, so that a command that needs none never fails
    on it."""

    config_path: Path | None
    environ: Mapping[str, str]
    log_format: str = "text"
    verbose: int = 0

    @cached_property
    def config(self) -> Config:
        return load(self.config_path, self.environ)

    @cached_property
    def now(self) -> datetime:
        """One moment for the whole command."""
        return datetime.now(UTC)

    def clock(self) -> datetime:
        """The time now, for what comes after a person was asked."""
        return datetime.now(UTC)
