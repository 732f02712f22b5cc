"""``moobius-trio …``: the command line. Words in and out only; each command is one call below."""

from moobius_trio.cli.app import main

__all__ = ("main",)
