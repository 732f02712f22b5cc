"""How much is imported at once, and without the parts that a running service never uses.

Importing takes most of the time of a start and half of the memory of a service at rest. Some
libraries import, where they are installed, what only their command lines or their optional
features need; they are imported as where those are not installed. Nothing of this package may be
imported here, and nothing may be changed in those libraries.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ("importing",)


@contextmanager
def importing(*, without: tuple[str, ...] = ()) -> Iterator[None]:
    """Let the block import much at once, and what is in ``without`` not at all.

    No garbage is collected in the block: modules stay, and looking through them a hundred times
    takes a tenth of the time of their import.

    An import of what is in ``without`` fails as if it were not installed, unless it has been
    imported before. Afterwards it can be imported as ever, also by the libraries that did
    without. Only for the optional parts of one library, by their full names, or where the program
    has barely begun: other threads cannot import these either.
    """
    collects = gc.isenabled()
    hidden = [module for module in without if module not in sys.modules]
    # None has the import system raise ModuleNotFoundError (the language reference, 5.3.1).
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    gc.disable()
    try:
        yield
    finally:
        for module in hidden:
            sys.modules.pop(module, None)
        if collects:
            gc.enable()


# rich prints tracebacks with the values of variables, which may be secrets; ours are plain.
with importing(without=("rich",)):
    import structlog  # noqa: F401
