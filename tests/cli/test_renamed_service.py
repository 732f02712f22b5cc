"""``dev`` after the service's class was given another name."""

from __future__ import annotations

from pathlib import Path

from moobius_trio.testing.commands import open_command

SOURCE = """
from moobius_trio import MoobiusService


class {name}(MoobiusService):
    pass
"""


def test_a_renamed_class_takes_over_the_band(tmp_path: Path) -> None:
    """It is a service of its own; the one of the old name is itself again when it is back."""
    found = []
    for name in ("Echo", "Parrot", "Echo"):
        (tmp_path / "echo.py").write_text(SOURCE.format(name=name))
        arguments = ("dev", "echo.py", "--no-browser", "--port", "0", "--ready-json")
        with open_command(*arguments, cwd=tmp_path) as command:
            found.append([s["service_id"] for s in command.ready()["services"]])
            assert command.stop().code == 0
    assert found[0] == found[2] != found[1]
