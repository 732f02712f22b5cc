"""Other packages, imported without the parts of them that a running service never uses.

Importing takes most of the time of a start and half of the memory of a service at rest. Three
libraries import, where they are installed, what only their command lines or their optional
features need; here they are imported as where those are not installed. Nothing of this package
may be imported here, and nothing may be changed in those libraries.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ("without",)


@contextmanager
def without(*modules: str) -> Iterator[None]:
    """Let imports of these fail in the block, unless they have been imported before.

    Afterwards they can be imported as ever, also by the libraries that did without them. Only
    for the optional parts of one library, by their full names, or where the program has barely
    begun: other threads cannot import these either.
    """
    hidden = [module for module in modules if module not in sys.modules]
    # None has the import system raise ModuleNotFoundError (the language reference, 5.3.1).
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for module in hidden:
            sys.modules.pop(module, None)


# rich prints tracebacks with the values of variables, which may be secrets; ours are plain.
with without("rich"):
    import structlog  # noqa: F401
