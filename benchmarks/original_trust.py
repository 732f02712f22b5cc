"""How the published SDK 1.8 comes to trust the benchmark's platform, without a change to it.

It trusts whom the ``certifi`` package names, reads that package's whole bundle for every
connection and every call (docs/protocol/generation-1.md section 8), and so it does here: the
bundle it is given is the published one with one authority more. Runs in the environment of the
original, so nothing of this project is imported here.
"""

from __future__ import annotations

from pathlib import Path

import certifi

__all__ = ("trust",)


def trust(ca: str) -> None:
    """Have ``certifi`` name a bundle with one authority more, in this process; the file is put
    into the current folder. To be called before the SDK connects."""
    bundle = Path("bundle.pem").absolute()
    bundle.write_bytes(Path(certifi.where()).read_bytes() + b"\n" + Path(ca).read_bytes())
    certifi.where = lambda: str(bundle)
