"""How log lines look and what they may not show.

structlog's configuration belongs to the process, not to a library: only `moobius_trio.run`, the
command line and the wand call `configure_logs`. Every other module takes
``structlog.get_logger()`` and uses its sync methods. No module here knows what an event means.

A line's last way is through a `Redactor`, which masks every registered `Secret` in whatever form
it stands there. It is the second net: secrets are `Secret` values, so that none should get so
far. The set of registered secrets lives in structlog's configuration and ends with it.
"""

from moobius_trio.logs.redaction import MASK, Redactor, escape
from moobius_trio.logs.setup import (
    PassingSecrets,
    configure_logs,
    is_unconfigured,
    open_log_files,
    quiet_unless_configured,
    redact,
    register_secrets,
    set_level,
)

__all__ = (
    "MASK",
    "PassingSecrets",
    "Redactor",
    "configure_logs",
    "escape",
    "is_unconfigured",
    "open_log_files",
    "quiet_unless_configured",
    "redact",
    "register_secrets",
    "set_level",
)
