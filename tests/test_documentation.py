"""The documentation names every configuration key and every command, and nothing else."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import click

from analyzer.config import Config, load
from analyzer.config.reader import Many, One, Section, keys

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "config.toml"
REFERENCE = ROOT / "docs" / "configuration.md"
COMMANDS = ROOT / "docs" / "commands.md"


def declared(section: type[Section], table: str = "") -> Iterator[tuple[str, str, Any]]:
    """Every key of the code: (table, key, field). Tables are named as their headings are."""
    for name, field in keys(section).items():
        kind = field.metadata["kind"]
        inner = f"{table}.{name}" if table else name
        if isinstance(kind, One | Many):
            yield from declared(kind.section, inner)
        else:
            yield table, name, field


def written(text: str) -> set[tuple[str, str]]:
    """Every key of a TOML document that the code does not have to know: (table, key)."""
    found = set()
    table = ""
    for line in text.splitlines():
        if heading := re.match(r"\[+([a-z_.]+)\]+$", line):
            table = heading[1]
        elif key := re.match(r"([a-z_0-9]+) = ", line):
            found.add((table, key[1]))
    return found


def documented() -> dict[tuple[str, str], list[str]]:
    """The rows of the reference: (table, key) to the cells after the key."""
    rows = {}
    table = ""
    for line in REFERENCE.read_text().splitlines():
        if heading := re.match(r"#+ `\[+([a-z_.]+)\]+`$", line):
            table = heading[1]
        elif row := re.match(r"\| `([a-z_0-9]+)` \| (.*) \|$", line):
            # A bar inside a cell of Markdown is escaped.
            rows[table, row[1]] = [cell.replace(r"\|", "|") for cell in row[2].split(" | ")]
    return rows


KEYS = {(table, name): field for table, name, field in declared(Config)}


def with_unset_keys() -> str:
    """config.toml with its commented-out keys and tables made real."""
    return re.sub(r"(?m)^#(?=\[|[a-z_]+ = )", "", CONFIG.read_text())


def test_config_toml_has_every_key_and_no_other() -> None:
    assert written(with_unset_keys()) == set(KEYS)


def test_config_toml_has_a_comment_above_every_key_or_group() -> None:
    lines = CONFIG.read_text().splitlines()
    for above, line in pairwise(lines):
        if re.match(r"#?[a-z_0-9]+ = ", line):
            assert above.startswith("#") or " = " in above, f"no comment above: {line}"


def test_config_toml_is_the_defaults() -> None:
    loaded = load(CONFIG, {})
    defaults = Config()
    for section in keys(Config):
        assert getattr(loaded, section) == getattr(defaults, section), section


def test_the_commented_out_example_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(with_unset_keys())
    model = tmp_path / "models/chat-7b/config.json"
    model.parent.mkdir(parents=True)
    model.write_text("{}")
    assert load(path, {}).pricing.prices[0].on_demand == 2.10


def test_every_default_in_the_reference_is_what_the_code_defaults_to() -> None:
    """Read as TOML beside config.toml, whose values equal the defaults."""
    expected = tomllib.loads(CONFIG.read_text())
    for (table, name), cells in documented().items():
        if table in ("pricing.prices", "sleep.kinds", "sizing.models"):
            continue
        values: Any = expected
        for part in table.split("."):
            values = values[part][0] if isinstance(values[part], list) else values[part]
        assert tomllib.loads(f"x = {cells[1].strip('`')}")["x"] == values[name], f"{table}.{name}"


def test_the_reference_has_every_key_and_no_other() -> None:
    assert set(documented()) == set(KEYS)


def test_the_reference_says_what_the_code_says() -> None:
    """Type, range and meaning of each row are those on the field, word for word."""
    for (table, name), field in KEYS.items():
        kind = field.metadata["kind"]
        told, _, accepted, meaning = documented()[table, name]
        assert (told, accepted, meaning) == (kind.type, kind.range, field.metadata["doc"]), name


def sections(text: str) -> dict[str, str]:
    """Each heading of a Markdown page with the text below it, as far as the next heading."""
    parts = re.split(r"(?m)^#+ +(.*)$", text)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def commands(group: click.Group, context: click.Context) -> Iterator[tuple[str, click.Command]]:
    """Every command below ``group``, by the words one types."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            inner = click.Context(command, info_name=name, parent=context)
            yield from ((f"{name} {below}", each) for below, each in commands(command, inner))
        else:
            yield name, command


def undocumented(options: list[click.Parameter], text: str) -> list[str]:
    """Long names of the options that ``text`` does not hold as a word."""
    names = [name for each in options for name in (*each.opts, *each.secondary_opts)]
    return [
        name
        for name in names
        if name.startswith("--") and not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text)
    ]


def test_every_command_and_every_option_is_documented() -> None:
    """Each command has a heading that names it (``analyze``, or ``gpu-thrift analyze``). Its
    options stand below it, or below a heading with the word "options" that several share."""
    from jobs.cli import cli

    page = sections(COMMANDS.read_text())
    shared = "".join(text for heading, text in page.items() if "options" in heading.lower())
    assert undocumented(cli.params, shared) == [], "global options"
    for name, command in commands(cli, click.Context(cli, info_name="gpu-thrift")):
        headings = {name, f"gpu-thrift {name}"}
        own = [text for heading, text in page.items() if heading.replace("`", "") in headings]
        assert own, f"docs/commands.md has no heading for {name}"
        options = [param for param in command.params if isinstance(param, click.Option)]
        assert undocumented(options, own[0] + shared) == [], name
