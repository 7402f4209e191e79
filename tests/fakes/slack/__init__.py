"""Slack for tests: real HTTP, the limits Slack documents, and faults on demand."""

from tests.fakes.slack.server import SlackStandIn
from tests.fakes.slack.workspace import TOKEN, Call, Channel, Fault

__all__ = ["TOKEN", "Call", "Channel", "Fault", "SlackStandIn"]
