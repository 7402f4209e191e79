"""The message about a morning, as its readers see it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from analyzer.sleep.model import Memory, Row, Slept
from analyzer.sleep.morning import Morning, Span, Undone, Unready
from reports.morning import Told, morning_message
from tests.builders import key

END = datetime(2026, 11, 24, 8, 30, tzinfo=UTC)
BERLIN = Told(ZoneInfo("Europe/Berlin"))
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
SPAN = Span(END - 24 * HOUR, END, END)
NIGHT, DUE = END - 13 * HOUR, END - 90 * MINUTE


def wrong() -> Morning:
    """One of everything, on a Tuesday at 09:30 in Berlin."""
    memory = Memory(4, NIGHT, "schedule", DUE, 0)
    return Morning(
        SPAN,
        slept=12,
        woken=11,
        unready=(
            Unready(key("a"), DUE, "Unschedulable: 0/4 nodes (2 pods)"),
            Unready(key("b"), END - 40 * MINUTE, ""),
            Unready(key("c"), END - 4 * HOUR, "OOMKilled", watched=False),
        ),
        late=(
            Slept(
                key("d"), "d", NIGHT, DUE, 4, None, (), "schedule", DUE + HOUR, "ImagePullBackOff"
            ),
        ),
        overslept=(
            Row(key("e"), "e", memory),
            Row(key("f"), "f", replace(memory, by="person ann")),
        ),
        undone=(
            Undone(key("g"), "wake", "failed", "forbidden", 37, DUE, END - HOUR),
            Undone(key("h"), "sleep", "skipped", "", 1, NIGHT, NIGHT, NIGHT + HOUR),
        ),
        attention=("i: bad-annotation (awake)",),
        unknown=("west: nobody told",),
    )


def test_it_says_what_is_wrong_where_since_when_and_why() -> None:
    made = morning_message(wrong(), BERLIN)
    name = "inference/Deployment"
    assert made.text.splitlines() == [
        "Sleep on the morning of 2026-11-24: 3 not ready, 2 still asleep, 1 ready late, "
        "2 not put to sleep or woken as decided, 1 to look into",
        "Woken, and not ready",
        f"• {name}/a: woken 08:00, 90 minutes ago: Unschedulable: 0/4 nodes (2 pods)",
        f"• {name}/b: woken 08:50, 40 minutes ago: not ready, no cause told yet",
        f"• {name}/c: woken 05:30, was not seen to become ready: OOMKilled",
        "Due, and still asleep",
        f"• {name}/e: was due 08:00",
        f"• {name}/f: was due 08:00, put to sleep by person ann",
        "Ready late",
        f"• {name}/d: woken 08:00, ready 09:00: ImagePullBackOff",
        "Not put to sleep or woken",
        f"• {name}/g: wake failed 37 times from 08:00 to 08:30: forbidden",
        f"• {name}/h: sleep skipped Mon 20:30; done Mon 21:30",
        "To look into now",
        "• i: bad-annotation (awake)",
        "Not known",
        "• west: nobody told",
        "12 put to sleep and 11 woken in the 24 hours up to 2026-11-24 09:30; "
        "times in Europe/Berlin.",
    ]


def test_blocks_and_text_say_the_same() -> None:
    made = morning_message(wrong(), BERLIN)
    told = [
        line
        for block in made.blocks
        for part in [block.get("text"), *block.get("elements", ())]
        if part
        for line in part["text"].splitlines()
    ]
    assert [line.replace("*", "") for line in told] == made.text.splitlines()


def test_what_is_too_much_is_counted_and_clusters_are_named_where_there_are_several() -> None:
    many = tuple(Unready(key(f"w{n:03}"), DUE, "slow") for n in range(600))
    lines = morning_message(
        Morning(SPAN, 600, 600, unready=many), replace(BERLIN, clusters=True)
    ).text.splitlines()
    assert lines[0].endswith(": 600 not ready")
    assert lines[2].startswith("• main/inference/Deployment/w000: woken 08:00")
    assert lines[-2] == "and 595 more"
