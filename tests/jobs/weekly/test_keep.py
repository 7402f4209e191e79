"""Files of reports are whole, whoever reads or writes them."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from analyzer.errors import GpuThriftError
from jobs.weekly import keep as module
from jobs.weekly.keep import keep


def test_files_are_written_in_their_order_into_a_folder_that_is_made(tmp_path: Path) -> None:
    folder = tmp_path / "reports" / "2026-W47"
    paths = keep(folder, {"report.html": b"page", "a.png": b"\x00\xff", "empty": b""})
    assert paths == (folder / "report.html", folder / "a.png", folder / "empty")
    assert [path.read_bytes() for path in paths] == [b"page", b"\x00\xff", b""]
    assert {path.name for path in folder.iterdir()} == {"report.html", "a.png", "empty"}


def test_whoever_serves_them_may_read_them(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        [path] = keep(tmp_path, {"report.html": b"page"})
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_reader_of_the_old_file_keeps_it_whole(tmp_path: Path) -> None:
    [path] = keep(tmp_path, {"report.html": b"old" * 1000})
    with path.open("rb") as opened:
        keep(tmp_path, {"report.html": b"new"})
        assert opened.read() == b"old" * 1000
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("step", ["fsync", "fchmod"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    keep(tmp_path, {"report.html": b"old"})

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module.os, step, full)
    with pytest.raises(GpuThriftError) as refused:
        keep(tmp_path, {"report.html": b"new"})
    assert str(refused.value) == f"{tmp_path}: cannot write the report: No space left on device"
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("report.html", b"old")]


def test_an_end_in_the_middle_leaves_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module.os, "fsync", stop)
    with pytest.raises(KeyboardInterrupt):
        keep(tmp_path, {"report.html": b"new"})
    assert list(tmp_path.iterdir()) == []


def test_what_is_in_the_way_is_named(tmp_path: Path) -> None:
    file = tmp_path / "reports"
    file.write_text("a file")
    with pytest.raises(GpuThriftError, match="cannot write the report: Not a directory"):
        keep(file / "2026-W47", {"report.html": b""})
    with pytest.raises(GpuThriftError, match="cannot write the report: File exists"):
        keep(file, {"report.html": b""})
    folder = tmp_path / "kept"
    (folder / "report.html").mkdir(parents=True)
    with pytest.raises(GpuThriftError, match="cannot write the report: Is a directory"):
        keep(folder, {"report.html": b""})
    assert [one.name for one in folder.iterdir()] == ["report.html"]
