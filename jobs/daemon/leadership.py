"""Who of several daemons acts. Whoever does asks before every change whether it still may."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path
from typing import Protocol

from analyzer.errors import GpuThriftError, SourceError


class NotLeader(SourceError):
    """Another daemon may act by now; this one has to stop."""


class Leadership(Protocol):
    """Safe to ask from any thread."""

    @property
    def leads(self) -> bool:
        """Whether this process may act now."""

    @property
    def holder(self) -> str:
        """Who acts, as far as is known; empty if nobody."""

    @property
    def says(self) -> str:
        """What is wrong with finding out; empty if nothing."""

    @property
    def is_alive(self) -> bool:
        """Whether finding out goes on; what is dead comes back only with the process."""

    def left(self) -> float:
        """For how many seconds this process may act for certain. Raises ``NotLeader``."""

    def start(self) -> None:
        """Begins to find out. Raises ``GpuThriftError`` for what no waiting will mend."""

    def release(self) -> None:
        """Lets the next one act, and stops."""


class FileLeadership:
    """Whoever has the file locked. The lock ends with its process, however that ends."""

    def __init__(self, path: Path, me: str) -> None:
        self._path = path
        self._me = me
        self._descriptor: int | None = None
        self._problem = ""
        self._lock = threading.RLock()

    @property
    def leads(self) -> bool:
        with self._lock:
            descriptor = self._descriptor
            if descriptor is not None and not self._is_ours(descriptor):
                # Deleted or replaced: the next daemon would lock the new file and lead as well.
                self._descriptor = None
                os.close(descriptor)
            if self._descriptor is None:
                self._try()
            return self._descriptor is not None

    def _is_ours(self, descriptor: int) -> bool:
        """Whether what is locked is what others would find."""
        try:
            return os.path.samestat(os.fstat(descriptor), self._path.stat())
        except OSError:
            return False

    @property
    def holder(self) -> str:
        if self.leads:
            return self._me
        try:
            return self._path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return ""

    @property
    def says(self) -> str:
        return self._problem

    @property
    def is_alive(self) -> bool:
        return True

    def left(self) -> float:
        if not self.leads:
            raise NotLeader(f"{self._path} is locked by another daemon")
        return float("inf")

    def start(self) -> None:
        self._try()
        if self._problem:
            raise GpuThriftError(
                f"{self._problem}; make the folder writable, or set [leadership] file"
            )

    def release(self) -> None:
        with self._lock:
            descriptor, self._descriptor = self._descriptor, None
            if descriptor is not None:
                os.ftruncate(descriptor, 0)
                os.close(descriptor)

    def _try(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            self._problem = f"lock file {self._path}: cannot be opened: {error.strerror}"
            return
        self._problem = ""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{self._me}\n".encode())
        self._descriptor = descriptor
