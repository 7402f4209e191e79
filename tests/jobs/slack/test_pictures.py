"""Pictures and replies over real HTTP: uploaded unseen, named by the message, never in its way."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from analyzer.config import SlackConfig
from analyzer.config.secret import Secret
from analyzer.errors import BadAnswer, Denied, SourceError, Unreachable
from jobs.ledger.notices import Notice, Picture
from jobs.poster import Futile, Limited, Unsure
from jobs.slack import BotPoster
from jobs.slack.bot import READY_AFTER_S
from tests.fakes.slack import TOKEN, Call, Fault, SlackStandIn

NOW = datetime.now(UTC)
SPEND = Picture("spend", "Spend by week", "Spend rose to $900", b"\x89PNG one")
HEAT = Picture("heat", "Use by hour", "Idle at night " * 100, b"\x89PNG two")
TEXT = {"type": "section", "text": {"type": "mrkdwn", "text": "*spent $900*"}}
GPUS = "C0GPUS0001"


def shown(name: str) -> dict[str, object]:
    title = {"type": "plain_text", "text": name}
    return {"type": "image", "alt_text": name, "title": title, "slack_file": {"id": name}}


BLOCKS = (TEXT, shown("spend"), shown("heat"))
NOTICE = Notice("weekly", GPUS, "spent $900", BLOCKS, pictures=(SPEND, HEAT))
REPLY = Notice("details", GPUS, "in detail", (TEXT,), parent="weekly")


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    with SlackStandIn() as running:
        yield running


@pytest.fixture
def waited() -> list[float]:
    return []


@pytest.fixture
def poster(slack: SlackStandIn, waited: list[float]) -> BotPoster:
    config = SlackConfig(url=slack.url, timeout=timedelta(seconds=3), token=Secret(TOKEN))
    return BotPoster(config, sleep=waited.append)


def publish(poster: BotPoster, notice: Notice = NOTICE) -> str:
    return poster.post(notice, poster.upload(notice))


def pictures(slack: SlackStandIn) -> list[bytes]:
    """What the only message shows, in order."""
    [message] = slack.messages
    named = [one["slack_file"]["id"] for one in message["blocks"] if one["type"] == "image"]
    return [slack.files[one].content or b"" for one in named]


def methods(slack: SlackStandIn) -> list[str]:
    return [one.method for one in slack.calls]


def test_pictures_are_uploaded_unseen_and_named_by_the_message(
    slack: SlackStandIn, poster: BotPoster
) -> None:
    files = poster.upload(NOTICE)
    assert slack.messages == []
    poster.post(NOTICE, files)
    assert pictures(slack) == [SPEND.content, HEAT.content]
    kept = [(one.name, one.title, one.alt) for one in slack.files.values()]
    assert kept == [
        ("spend.png", "Spend by week", "Spend rose to $900"),
        ("heat.png", "Use by hour", HEAT.alt[:1000]),
    ]
    [message] = slack.messages
    assert message["blocks"][0] == TEXT
    assert [one["alt_text"] for one in message["blocks"][1:]] == ["spend", "heat"]


def test_neither_token_nor_address_goes_where_it_does_not_belong(
    slack: SlackStandIn, poster: BotPoster, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    publish(poster)
    uploads = [one for one in slack.calls if one.method == "upload"]
    assert len(uploads) == 2
    assert not any("authorization" in one.headers for one in uploads)
    slack.faults = lambda call: Fault("close") if call.method == "upload" else None
    with pytest.raises(Unreachable) as caught:
        poster.upload(replace(NOTICE, key="another"))
    assert "/upload/" not in caplog.text + repr(caught.value)
    assert TOKEN not in caplog.text


def test_a_file_that_slack_does_not_know_yet_is_waited_for(
    slack: SlackStandIn, poster: BotPoster, waited: list[float]
) -> None:
    slack.not_ready = 3
    publish(poster)
    assert pictures(slack) == [SPEND.content, HEAT.content]
    assert waited == list(READY_AFTER_S[:3])


def test_a_file_that_never_becomes_known_does_not_keep_the_message_back(
    slack: SlackStandIn,
    poster: BotPoster,
    waited: list[float],
    caplog: pytest.LogCaptureFixture,
) -> None:
    slack.not_ready = 99
    publish(poster)
    assert pictures(slack) == []
    assert waited == list(READY_AFTER_S)
    assert "weekly: goes without its pictures" in caplog.text


def test_blocks_that_are_wrong_otherwise_are_not_waited_for(
    slack: SlackStandIn, poster: BotPoster, waited: list[float]
) -> None:
    def fault(call: Call) -> Fault | None:
        no_field = {"errors": ["missing text [json-pointer:/blocks/0/text]"]}
        if call.method == "chat.postMessage":
            slack.answer = lambda *_: {"ok": False, "error": "invalid_blocks", **no_field}  # type: ignore[method-assign]
        return None

    slack.faults = fault
    with pytest.raises(BadAnswer, match="invalid_blocks"):
        publish(poster)
    assert (waited, methods(slack).count("chat.postMessage")) == ([], 1)


@pytest.mark.parametrize("refusal", ["no scope", "upload", "size"])
def test_pictures_that_are_refused_are_left_out_and_that_is_said_once(
    slack: SlackStandIn, poster: BotPoster, caplog: pytest.LogCaptureFixture, refusal: str
) -> None:
    says = {
        "no scope": "missing files:write): add the scope files:write to the app",
        "upload": "upload of a file was refused (HTTP 403)",
        "size": "takes no files of this size",
    }
    if refusal == "no scope":
        slack.scopes.remove("files:write")
    elif refusal == "upload":
        at = "upload"
        slack.faults = lambda call: (
            Fault("not-ok", error="action_prohibited") if call.method == at else None
        )
    else:
        size = Fault("not-ok", error="file_upload_size_restricted")
        slack.faults = lambda call: size if call.method.startswith("files.") else None
    publish(poster)
    publish(poster, replace(NOTICE, key="the next"))
    assert [one["blocks"] for one in slack.messages] == [[TEXT], [TEXT]]
    [line] = caplog.messages
    assert says[refusal] in line
    assert line.startswith("weekly: goes without pictures: ")


def test_one_that_is_refused_leaves_the_others(slack: SlackStandIn, poster: BotPoster) -> None:
    refused = Fault("not-ok", error="file_type_not_allowed")
    slack.faults = lambda call: refused if call.params.get("filename") == "spend.png" else None
    publish(poster)
    assert pictures(slack) == [HEAT.content]


STEPS = ("files.getUploadURLExternal", "upload", "files.completeUploadExternal")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault("429", 7), Limited),
        (Fault("500"), Unreachable),
        (Fault("hang", 5), Unreachable),
        (Fault("close"), Unreachable),
        (Fault("lost"), Unreachable),
        (Fault("html"), Unreachable),
        (Fault("not-ok", error="internal_error"), Unreachable),
    ],
)
def test_an_upload_that_fails_is_tried_again_and_nobody_sees_anything(
    slack: SlackStandIn, poster: BotPoster, step: str, fault: Fault, kind: type[SourceError]
) -> None:
    faults = [fault]
    slack.faults = lambda call: faults.pop() if faults and call.method == step else None
    with pytest.raises(kind) as caught:
        poster.upload(NOTICE)
    assert type(caught.value) is kind
    assert slack.messages == []
    publish(poster)
    assert pictures(slack) == [SPEND.content, HEAT.content]


def test_a_token_that_is_not_good_is_no_reason_to_leave_pictures_out(
    slack: SlackStandIn, poster: BotPoster
) -> None:
    slack.faults = lambda call: Fault("not-ok", error="token_revoked")
    with pytest.raises(Denied, match="renew the token"):
        poster.upload(NOTICE)


def test_what_was_uploaded_is_not_uploaded_again(slack: SlackStandIn, poster: BotPoster) -> None:
    faults = [Fault("429", 1)]
    slack.faults = lambda call: (
        faults.pop() if faults and call.method == "chat.postMessage" else None
    )
    with pytest.raises(Limited):
        publish(poster)
    publish(poster)
    assert methods(slack).count("upload") == 2
    publish(poster, replace(NOTICE, key="the next"))
    assert methods(slack).count("upload") == 4


def test_nothing_is_sent_in_the_clear_to_another_place(
    slack: SlackStandIn, poster: BotPoster, caplog: pytest.LogCaptureFixture
) -> None:
    secure = SlackConfig(url="https://slack.example", token=Secret(TOKEN))
    poster._uploads._config = secure
    assert poster.upload(NOTICE) == {}
    assert "upload" not in methods(slack)
    assert "would not be encrypted" in caplog.text


def test_a_reply_stands_in_its_thread_and_is_found_there(
    slack: SlackStandIn, poster: BotPoster
) -> None:
    thread = poster.post(replace(NOTICE, pictures=(), blocks=(TEXT,)), {})
    reply = replace(REPLY, thread=thread)
    assert poster.find(reply, NOW) is None
    receipt = poster.post(reply, {})
    assert slack.messages[1]["thread_ts"] == thread
    assert poster.find(reply, NOW) == receipt
    assert poster.find(NOTICE, NOW) == thread
    # The channel does not list replies: nobody would find one there.
    assert poster.find(replace(reply, thread=""), NOW) is None


def test_a_reply_to_a_message_that_was_deleted_is_let_go(
    slack: SlackStandIn, poster: BotPoster
) -> None:
    with pytest.raises(Futile, match="deleted"):
        poster.find(replace(REPLY, thread="1763900000.000100"), NOW)


def test_a_lost_answer_to_a_reply_is_not_known(slack: SlackStandIn, poster: BotPoster) -> None:
    thread = poster.post(replace(NOTICE, pictures=(), blocks=(TEXT,)), {})
    slack.faults = lambda call: Fault("lost")
    with pytest.raises(Unsure):
        poster.post(replace(REPLY, thread=thread), {})
    slack.faults = lambda call: None
    assert poster.find(replace(REPLY, thread=thread), NOW) == slack.messages[1]["ts"]
