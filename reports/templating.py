"""How pages are made from templates: outside text is text, on one line, and nothing is guessed."""

from __future__ import annotations

import jinja2

from reports.text import visible


def environment(package: str) -> jinja2.Environment:
    """The templates of a package. What a template asks for and is not given is an error."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader(package),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        # Not what a macro made, which is markup.
        finalize=lambda value: visible(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
