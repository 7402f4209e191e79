"""Golden files: what people read, kept whole. ``UPDATE_GOLDEN=1 pytest tests`` writes them anew;
read the difference before it is committed."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


def check(name: str, text: str) -> None:
    """Compare ``text`` with ``tests/golden/<name>``, byte for byte."""
    path = FOLDER / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        return
    assert path.exists(), f"{path} is missing: run UPDATE_GOLDEN=1 pytest and read it"
    assert text == path.read_bytes().decode(), f"{path} differs: UPDATE_GOLDEN=1 rewrites it"
