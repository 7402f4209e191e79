"""Time zones by name."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import ClassVar

from analyzer.config.kinds import Wrong, wrong
from analyzer.config.place import quoted


@dataclass(frozen=True, slots=True)
class Zone:
    """The name of a time zone, kept as text; ``zone_of`` opens it."""

    type: ClassVar[str] = "string"
    range: ClassVar[str] = "IANA time zone"

    def parse(self, value: object) -> str:
        if not isinstance(value, str):
            raise wrong('an IANA time zone such as "Europe/Berlin"', value)
        try:
            zone_of(value)
        except (ValueError, KeyError, OSError) as error:
            raise Wrong(_no_zone(value)) from error
        return value


def zone_of(name: str) -> tzinfo:
    """The zone called ``name``. UTC needs no zone files, which small images lack."""
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo  # noqa: PLC0415 (only when a zone is set)

    return ZoneInfo(name)


def _no_zone(name: str) -> str:
    from zoneinfo import available_timezones  # noqa: PLC0415

    zones = {zone.lower(): zone for zone in available_timezones()}
    last_parts = {zone.rpartition("/")[2]: zones[zone] for zone in sorted(zones, reverse=True)}
    near = difflib.get_close_matches(name.lower(), zones, 1, 0.8) or [""]
    meant = last_parts.get(name.lower()) or zones.get(near[0])
    hint = f'; did you mean "{meant}"?' if meant else ""
    return f'expected an IANA time zone such as "Europe/Berlin", got {quoted(name)}{hint}'
