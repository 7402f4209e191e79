"""Uploads pictures without sharing them, and puts them into the blocks that name them.

A file that was completed without a channel is seen by nobody until a message of the same app names
it in an image block, so that a lost answer leaves a file behind and never a second message.
https://docs.slack.dev/messaging/working-with-files
https://docs.slack.dev/reference/block-kit/composition-objects/slack-file-object
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urlsplit

from analyzer.config import SlackConfig
from analyzer.errors import BadAnswer, Denied, Unreachable
from jobs.ledger.notices import Notice, Picture
from jobs.slack.address import Address
from jobs.slack.answers import is_of_login, limited, name_of
from jobs.slack.api import Api

log = logging.getLogger("gpu_thrift.slack")

ALT = 1_000
"""Characters of ``alt_txt``; an image block takes 2,000."""

_UPLOAD = "upload of a file"


class Uploads:
    """``around`` is entered around every call. What was uploaded is known until it is forgotten, so
    that a message that has to wait does not leave a file behind at every try."""

    def __init__(
        self, api: Api, config: SlackConfig, around: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._api = api
        self._config = config
        self._around = around
        self._known: dict[str, dict[str, str]] = {}
        self._told: set[str] = set()

    def of(self, notice: Notice) -> Mapping[str, str]:
        """The ids of its pictures' files, without those that Slack refuses for good. Raises
        ``SourceError`` for what may pass."""
        found = self._known.setdefault(notice.key, {})
        for picture in notice.pictures:
            if picture.name in found:
                continue
            try:
                found[picture.name] = self._upload(picture)
            except (BadAnswer, Denied) as error:
                if is_of_login(error):
                    raise
                self._tell(notice.key, str(error))
        return dict(found)

    def forget(self, key: str) -> None:
        self._known.pop(key, None)

    def _upload(self, picture: Picture) -> str:
        method = "files.getUploadURLExternal"
        found = self._api.call(
            method,
            lambda client: client.files_getUploadURLExternal(
                filename=f"{picture.name}.png",
                length=len(picture.content),
                alt_txt=picture.alt[:ALT] or None,
            ),
        )
        url, file = found.get("upload_url"), found.get("file_id")
        if not (isinstance(url, str) and isinstance(file, str) and file):
            raise BadAnswer(f"{name_of(method)} answered without an address and a file")
        self._send(url, picture.content)
        self._api.call(
            "files.completeUploadExternal",
            lambda client: client.files_completeUploadExternal(
                files=[{"id": file, "title": picture.title or picture.name}]
            ),
        )
        return file

    def _send(self, url: str, content: bytes) -> None:
        name = name_of(_UPLOAD)
        # In the clear only where the API is asked in the clear.
        if not url.startswith(("https://", f"{urlsplit(self._config.url).scheme}://")):
            raise BadAnswer(f"{name} would not be encrypted")
        timeout = self._config.timeout.total_seconds()
        with self._around():
            address = Address(name, url, timeout, Unreachable)
            answer = address.post(content, "application/octet-stream")
            if answer.status == 429:
                raise limited(name, answer.headers)
            if answer.status >= 500 or (answer.status == 200 and answer.text.startswith("<")):
                raise Unreachable(f"{name} failed (HTTP {answer.status})")
            if answer.status != 200:
                raise BadAnswer(f"{name} was refused (HTTP {answer.status})")

    def _tell(self, key: str, why: str) -> None:
        """Each reason once: it holds for every message until somebody mends it."""
        if why not in self._told:
            self._told.add(why)
            log.warning("%s: goes without pictures: %s", key, why)


def with_files(
    blocks: Iterable[Mapping[str, Any]], names: Iterable[str], files: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The blocks with files for their pictures, and without those pictures that have none."""
    made, pictures = [], frozenset(names)
    for block in blocks:
        file = block.get("slack_file") if block.get("type") == "image" else None
        name = file.get("id") if isinstance(file, Mapping) else None
        if name not in pictures:
            made.append(dict(block))
        elif name in files:
            made.append({**block, "slack_file": {"id": files[name]}})
    return made
