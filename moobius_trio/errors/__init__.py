"""Every error the package raises on purpose: one root, facts as attributes, a remedy in words.

No module-level work, no I/O and no other part of the package may be used in these modules. An
error never holds a secret: what it is given is what it shows.
"""

from moobius_trio.errors.authoring import (
    CallbackError,
    HandlerTimedOut,
    JobError,
    MovedError,
    NeverAwaited,
    ServiceStopped,
)
from moobius_trio.errors.base import (
    BandNotTaken,
    ConfigError,
    MoobiusError,
    NameTaken,
    UsageError,
)
from moobius_trio.errors.platform import (
    AddressRefused,
    ApiError,
    ConnectionLost,
    GroupUnknown,
    LoginRejected,
    MalformedPayload,
    MessageTooLarge,
    NotInGeneration,
    OutboxFull,
    SignInRefused,
    Unreachable,
)
from moobius_trio.errors.spells import (
    NoSuchService,
    SpellRaised,
    SpellRefused,
    SpellTimedOut,
)
from moobius_trio.errors.storage import (
    NotLoaded,
    StorageError,
    StorageTypeError,
    StoreLocked,
    StoreMissing,
)

__all__ = (
    "AddressRefused",
    "ApiError",
    "BandNotTaken",
    "CallbackError",
    "ConfigError",
    "ConnectionLost",
    "GroupUnknown",
    "HandlerTimedOut",
    "JobError",
    "LoginRejected",
    "MalformedPayload",
    "MessageTooLarge",
    "MoobiusError",
    "MovedError",
    "NameTaken",
    "NeverAwaited",
    "NoSuchService",
    "NotInGeneration",
    "NotLoaded",
    "OutboxFull",
    "ServiceStopped",
    "SignInRefused",
    "SpellRaised",
    "SpellRefused",
    "SpellTimedOut",
    "StorageError",
    "StorageTypeError",
    "StoreLocked",
    "StoreMissing",
    "Unreachable",
    "UsageError",
)
