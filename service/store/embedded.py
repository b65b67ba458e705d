"""The embedded Postgres: binaries from PyPI, one child process, data in one directory."""

import asyncio
import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg

from service.errors import StoreUnavailable
from service.store.embedded_memory import shared_buffers
from service.store.embedded_places import account_of_server, binaries_for, home_of, short_name

SUPERUSER = "tidegauge"
DATABASE = "tidegauge"
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
MAX_SOCKET_PATH = 90
LOG_TAIL_BYTES = 16_384
_PR_SET_PDEATHSIG = 1

SETTINGS = {
    "listen_addresses": "",
    "max_connections": "100",
    "wal_compression": "pglz",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "idle_in_transaction_session_timeout": "60s",
    "autovacuum_naptime": "15s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
    # What one statement may write to disk beside its tables: a question never fills the disk that events need.
    "temp_file_limit": "4GB",
}


class EmbeddedPostgres:
    """A Postgres of our own, as a child process that dies with us.

    `data` is the directory of the installation; the cluster lies in `data/postgres`. As root the
    server runs as another user (Postgres refuses root), and where that user cannot go the cluster
    lies in `/var/lib/tidegauge`, under a name made of `data`'s path.
    """

    def __init__(self, data: Path, *, fsync: bool = True, extra: dict[str, str] | None = None) -> None:
        self._data = data.resolve()
        self._fsync = fsync
        self._extra = extra or {}
        self._account = account_of_server()
        self._home = home_of(self._data, self._account)
        self._binaries = binaries_for(self._account)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address of the service's database, for Settings.database_url."""
        return self.url_of(DATABASE)

    @property
    def pid(self) -> int | None:
        """The server's process id, where it runs."""
        pid_file = self._cluster / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().split("\n", 1)[0])
            os.kill(pid, 0)
        except (OSError, ValueError):
            return None
        return pid if _runs(pid, self._cluster) else None

    def url_of(self, database: str) -> str:
        """The address of one database of the cluster."""
        return f"postgresql://{SUPERUSER}@/{database}?host={quote(str(self._sockets))}"

    @property
    def _cluster(self) -> Path:
        return self._home / "postgres"

    @property
    def _sockets(self) -> Path:
        path = self._home / "run"
        # Both ends take a comma for the end of a path, and clients a colon for that of a host.
        if len(os.fsencode(path)) > MAX_SOCKET_PATH or set(",:") & set(str(path)):
            return Path(tempfile.gettempdir()) / f"tidegauge-{short_name(str(self._home))}"
        return path

    async def start(self) -> None:
        """Make the cluster if there is none, start the server or adopt a running one, wait for it.

        Waits for a recovery as long as it goes on. Raises StoreUnavailable when it does not answer in time.
        """
        self._make_directories()
        if not (self._cluster / "PG_VERSION").exists():
            self._initdb()
        if not self.running():
            await self._bury()
            self._spawn()
        await self._wait_until_ready()
        await self._create_database()

    async def stop(self) -> None:
        """Stop the server fast and cleanly (SIGINT: open transactions roll back)."""
        pid = self.pid
        if pid is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
        waited_s = 0.0
        while waited_s < STOP_TIMEOUT_S and self.pid is not None:
            if self._process is not None:
                self._process.poll()
            await asyncio.sleep(0.05)
            waited_s += 0.05
        if self._process is not None:
            await asyncio.to_thread(self._process.wait)
            self._process = None

    def running(self) -> bool:
        """Whether the server process is there."""
        if self._process is not None:
            self._process.poll()
        return self.pid is not None

    async def _bury(self) -> None:
        """Wait for a predecessor that is ending: as long as nobody has its exit code, its lock file counts.

        Raises StoreUnavailable when it does not end.
        """
        if self._process is None:
            return
        try:
            await asyncio.to_thread(self._process.wait, STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            pid = self._process.pid
            raise StoreUnavailable(f"the Postgres before this one (process {pid}) has not ended: stop it, or wait") from error
        self._process = None

    def _make_directories(self) -> None:
        for path in (self._data, self._home, self._sockets):
            path.mkdir(parents=True, exist_ok=True)
        for path in (self._home, self._sockets):
            if self._account.uid is not None and self._account.gid is not None:
                os.chown(path, self._account.uid, self._account.gid)
            path.chmod(0o700)

    def _initdb(self) -> None:
        """Make the cluster beside its place, for a kill in the middle leaves one that never starts.

        Raises StoreUnavailable, also where something lies in its place: it might be somebody's data.
        """
        if self._cluster.exists() and any(self._cluster.iterdir()):
            raise StoreUnavailable(
                f"{self._cluster} is not empty and no cluster of Postgres: restore it, move it away, or set TIDEGAUGE_DATA"
            )
        unfinished = self._home / "postgres.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        # Texts in the order of their code points, compared by Postgres itself: the C library's `strcoll` takes twice as long.
        locale = ["--locale=C.UTF-8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        options = ["-U", SUPERUSER, "-A", "trust", "-E", "UTF8", *locale, "--data-checksums"]
        command = [str(self._binaries / "initdb"), "-D", str(unfinished), *options]
        if not self._fsync:
            command.append("--no-sync")
        done = subprocess.run(command, capture_output=True, check=False, cwd="/", env=_environment(), **self._identity())
        if done.returncode != 0:
            raise StoreUnavailable(f"initdb failed: {done.stderr.decode(errors='replace').strip()}")
        unfinished.replace(self._cluster)

    def _spawn(self) -> None:
        sockets = {"unix_socket_directories": str(self._sockets), "unix_socket_permissions": "0700"}
        settings = {**SETTINGS, "shared_buffers": shared_buffers(), **sockets}
        if not self._fsync:
            settings |= {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
        settings |= self._extra
        command = [str(self._binaries / "postgres"), "-D", str(self._cluster)]
        for key, value in settings.items():
            command += ["-c", f"{key}={value}"]
        log = self._home / "postgres.log"
        with log.open("ab") as sink:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                cwd="/",
                env=_environment(),
                start_new_session=True,
                # The only way to bind the child to our life before it runs; nothing here takes a lock.
                preexec_fn=_die_with_parent,  # noqa: PLW1509
                **self._identity(),
            )

    def _identity(self) -> dict[str, Any]:
        if self._account.uid is None or self._account.gid is None:
            return {}
        return {"user": self._account.uid, "group": self._account.gid, "extra_groups": []}

    async def _wait_until_ready(self) -> None:
        deadline = asyncio.get_running_loop().time() + START_TIMEOUT_S
        while True:
            if self._process is not None and self._process.poll() is not None:
                if self._outlived() and asyncio.get_running_loop().time() < deadline:
                    await asyncio.sleep(0.1)
                    self._spawn()
                    continue
                raise StoreUnavailable(f"Postgres stopped at once ({self._last_words()}): see {self._home / 'postgres.log'}")
            try:
                connection = await asyncpg.connect(self.url_of("postgres"), timeout=5)
            except asyncpg.CannotConnectNowError:
                # It replays what was not yet in its files, however long that takes: starting over would begin anew.
                deadline = asyncio.get_running_loop().time() + START_TIMEOUT_S
                await asyncio.sleep(0.2)
                continue
            except (OSError, asyncpg.PostgresError, TimeoutError) as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise StoreUnavailable(f"Postgres does not answer: see {self._home / 'postgres.log'}") from error
                await asyncio.sleep(0.05)
                continue
            await connection.close()
            return

    def _outlived(self) -> bool:
        """Whether the server gave way to backends of a killed predecessor, which end by themselves."""
        return b"pre-existing shared memory block" in self._log_tail()

    def _last_words(self) -> str:
        """The newest line of the server's log that says why it ended."""
        lines = self._log_tail().decode(errors="replace").splitlines()
        told = [line for line in lines if any(word in line for word in ("FATAL", "PANIC", "could not"))]
        return (told or lines or ["it said nothing"])[-1]

    def _log_tail(self) -> bytes:
        with (self._home / "postgres.log").open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - LOG_TAIL_BYTES))
            return log.read()

    async def _create_database(self) -> None:
        connection = await asyncpg.connect(self.url_of("postgres"))
        try:
            if not await connection.fetchval("select 1 from pg_database where datname = $1", DATABASE):
                await connection.execute(f'create database "{DATABASE}"')
        finally:
            await connection.close()


def _runs(pid: int, cluster: Path) -> bool:
    """Whether the process is the server of this cluster, and not one that was given a dead one's number."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return not Path("/proc/self").exists()
    return str(cluster).encode() in words


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


_LIBC = ctypes.CDLL(None)


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
