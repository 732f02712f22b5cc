"""User mode: a program that is a user of the platform, and no service.

It joins bands, sees what services show it, and answers. It stands above `core`, whose parts it
is run by; nothing below knows it.
"""

from moobius_trio.user.handle import UserHandle
from moobius_trio.user.user import MoobiusUser

__all__ = ("MoobiusUser", "UserHandle")
