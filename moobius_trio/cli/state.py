"""The folder in which ``dev``, ``demo`` and ``local`` keep what outlives them.

Only made-up accounts of the local platform lie in it, never one of the user's.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
from pathlib import Path

import attrs
import platformdirs

from moobius_trio.errors import UsageError
from moobius_trio.types import Secret, ServiceId

__all__ = ("Account", "open_state", "user_state")


def user_state(name: str) -> Path:
    """The user's own folder for a command's state."""
    return platformdirs.user_state_path("moobius-trio", appauthor=False) / name


def open_state(folder: Path) -> Path:
    """Make the folder if need be, so that only its owner can read it; gives its absolute path.

    Raises:
        UsageError: it cannot be made or written.
    """
    try:
        if not folder.exists():
            folder.mkdir(parents=True, mode=0o700)
            (folder / ".gitignore").write_text("*\n", encoding="utf-8")
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "it is a file")
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as exc:
        raise UsageError(
            f"{folder}: the state folder cannot be used ({exc.strerror}). "
            "Name another one with --state."
        ) from None
    return folder.resolve()


@attrs.frozen(kw_only=True)
class Account:
    """The account under which a service runs on the local platform, and the service it made.

    The password is a new one in each run and is kept nowhere.
    """

    email: str
    service_id: ServiceId | None
    password: Secret = attrs.field(factory=lambda: Secret(secrets.token_urlsafe(24)))

    @classmethod
    def read(cls, folder: Path, name: str) -> Account:
        """The account kept for a service of this name, or a new one.

        Raises:
            UsageError: the file is there and cannot be read.
        """
        path = folder / f"{name}.json"
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            service_id = kept["service_id"]
            if not isinstance(service_id, str):
                raise TypeError
        except FileNotFoundError:
            service_id = ""
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise UsageError(
                f"{path}: what an earlier run kept cannot be read ({type(exc).__name__}). "
                "Remove the folder to begin afresh."
            ) from None
        return cls(
            email=f"{name}@service.local", service_id=ServiceId(service_id) if service_id else None
        )

    def write(self, folder: Path, name: str) -> None:
        """Keep the service's id for the next run; the file is never half."""
        path = folder / f"{name}.json"
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps({"service_id": self.service_id or ""}), encoding="utf-8")
        temporary.replace(path)
