"""Keeps the files of reports: whoever reads one meanwhile sees an old one or a new one, whole."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from analyzer.errors import GpuThriftError


def keep(folder: Path, files: Mapping[str, bytes]) -> tuple[Path, ...]:
    """Writes files into a folder, in their order. Raises ``GpuThriftError``."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return tuple(_put(folder / name, content) for name, content in files.items())
    except OSError as error:
        raise GpuThriftError(f"{folder}: cannot write the report: {error.strerror}") from error


def _put(path: Path, content: bytes) -> Path:
    descriptor, name = tempfile.mkstemp(prefix=".", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path
