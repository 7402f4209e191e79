"""A real Postgres on 127.0.0.1, ended by the test run that started it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers import free_port, need


def binary(name: str) -> str | None:
    """Where Debian keeps it, which is not on PATH."""
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    return str(places[0]) if places else shutil.which(name)


@dataclass
class Postgres:
    """A running server. ``stop`` and ``start`` take it away and bring it back."""

    home: Path
    port: int
    user: str | None

    def url(self, database: str) -> str:
        return f"postgresql://thrift:secret-word@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c fsync=off -k {self.home}"
        self._run(
            "pg_ctl",
            "-w",
            "-D",
            self.home / "data",
            "-l",
            self.home / "log",
            "-o",
            options,
            "start",
        )

    def stop(self) -> None:
        self._run("pg_ctl", "-w", "-D", self.home / "data", "-m", "immediate", "stop")

    def create(self, database: str) -> str:
        """A database of its own, empty."""
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "thrift", database)
        return self.url(database)

    def _run(self, name: str, *args: object) -> None:
        found = binary(name)
        assert found, name
        subprocess.run(
            [found, *map(str, args)],
            check=True,
            user=self.user,
            cwd="/",
            stdout=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C", "PGPASSWORD": "secret-word"},
        )

    def initialise(self) -> None:
        password = self.home / "password"
        password.write_text("secret-word")
        if self.user:
            shutil.chown(password, self.user)
        self._run(
            "initdb", "-D", self.home / "data", "-U", "thrift", "-A", "scram-sha-256",
            f"--pwfile={password}", "--no-sync",
        )  # fmt: skip


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A server with nothing in it."""
    if binary("initdb") is None:
        need("initdb", package="postgresql")
    with tempfile.TemporaryDirectory(prefix="gpu-thrift-postgres-") as name:
        home = Path(name)
        user = None
        if os.geteuid() == 0:
            # It refuses to run as root.
            known = {entry.pw_name for entry in pwd.getpwall()}
            user = "postgres" if "postgres" in known else "nobody"
            shutil.chown(home, user)
        server = Postgres(home, free_port(), user)
        server.initialise()
        server.start()
        try:
            yield server
        finally:
            if (home / "data" / "postmaster.pid").exists():
                server.stop()
