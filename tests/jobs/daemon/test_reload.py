"""A changed configuration file: what is safe is taken, what is not is refused with its reason."""

from __future__ import annotations

from datetime import time, timedelta
from pathlib import Path

import pytest

from analyzer.config import Config, load
from analyzer.errors import ConfigError
from jobs.daemon.reload import FIXED, Reloader


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text('[sleep]\nmax_workloads = 10\n[jobs]\nflag_underused = "08:00"\n')
    return path


def reloader(file: Path) -> Reloader:
    def read() -> Config:
        return load(file, {"HOME": str(file.parent)})

    return Reloader(read(), read)


def seen_twice(found: Reloader) -> bool:
    """A change counts once two looks saw the same file."""
    return (found.changed(), found.changed()) == (False, True)


def test_a_file_that_is_being_written_is_waited_for(file: Path) -> None:
    found = reloader(file)
    for n in range(3):
        file.write_text("[sleep]\n" + "#" * n)
        assert not found.changed()
    assert found.changed()


def test_a_file_that_lost_all_it_had_is_not_believed(file: Path) -> None:
    found = reloader(file)
    before = found.config
    file.write_text("")
    assert not found.reload()
    assert found.config is before
    assert "is empty" in found.problem


def test_what_is_safe_is_in_force_at_once(file: Path) -> None:
    found = reloader(file)
    assert not found.changed()
    file.write_text('[sleep]\nmax_workloads = 20\n[jobs]\nflag_underused = "09:30"\n')
    assert seen_twice(found)
    assert found.reload()
    assert (found.config.sleep.max_workloads, found.config.jobs.flag_underused) == (20, time(9, 30))
    assert (found.changed(), found.problem) == (False, "")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[ledger]\nfile = "other.db"', "[ledger] file"),
        ('[leadership]\nduration = "10s"\nname = "x"', "[leadership] name, duration"),
        ("[web]\nport = 1", "[web] port"),
    ],
)
def test_what_is_not_safe_stays_and_the_rest_is_taken(
    file: Path, text: str, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    found = reloader(file)
    before = found.config
    file.write_text(f"[sleep]\nmax_workloads = 30\n{text}\n")
    assert not found.reload()
    assert found.config.sleep.max_workloads == 30
    for name in FIXED:
        assert getattr(found.config, name) is getattr(before, name)
    assert told in found.problem
    assert "restart" in caplog.text
    # Put back as it was, there is nothing to say any more.
    file.write_text("[sleep]\nmax_workloads = 30\n")
    assert found.reload()
    assert found.problem == ""


@pytest.mark.parametrize("text", ["[sleep]\nmax_workloads = 0", "[", "[nonsense]\na = 1", None])
def test_a_file_that_cannot_be_used_changes_nothing(file: Path, text: str | None) -> None:
    found = reloader(file)
    before = found.config
    file.unlink() if text is None else file.write_text(text)
    assert seen_twice(found)
    assert not found.reload()
    assert found.config is before
    assert "config.toml" in found.problem
    assert found.problem.isprintable()
    # It is said once, and not at every look.
    assert not found.changed()


def test_what_the_daemon_could_not_work_with_changes_nothing(file: Path) -> None:
    found = reloader(file)

    def check(config: Config) -> None:
        if config.jobs.jitter > timedelta(0):
            raise ConfigError(f"{file}: no jitter here")

    found._check = check
    file.write_text('[jobs]\njitter = "5m"\n')
    assert not found.reload()
    assert found.config.jobs.jitter == timedelta(0)


def test_a_mounted_folder_that_is_swapped_is_noticed(tmp_path: Path) -> None:
    """As the kubelet does it: ..data is a link to a folder that is replaced as a whole."""
    for n, workloads in ((1, 10), (2, 20)):
        folder = tmp_path / f"..{n}"
        folder.mkdir()
        (folder / "config.toml").write_text(f"[sleep]\nmax_workloads = {workloads}\n")
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "config.toml").symlink_to("..data/config.toml")
    found = reloader(tmp_path / "config.toml")
    (tmp_path / "..new").symlink_to("..2")
    (tmp_path / "..new").replace(tmp_path / "..data")
    assert seen_twice(found)
    assert found.reload()
    assert found.config.sleep.max_workloads == 20
