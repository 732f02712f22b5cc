"""What the original is known to do wrong where we see it, and where its facts stand.

Numbers are those of docs/protocol/generation-1.md section 9. The list is exact: see ``report``.
"""

from __future__ import annotations

from as_account import STARTS
from as_user import scene_name
from report import Excepted
from service_scene import SCENE

__all__ = ("EXCEPTED",)

_AS_SERVICE = (
    ("what it prints keeps the password to itself", 2, "it is printed"),
    ("create_agent without a picture asks nobody else for one", 21, "amazonaws.com"),
    ("fetch_message_history gives a list", 32, "it gave ['code', 'data', 'message', 'msg']"),
    ("send_message without a sender", 12, "KeyError: 'sender'"),
    ("send_characters with nobody in the list", 13, "is not a str"),
    ("send_menu with a single item", 28, "TypeError"),
    ("send_canvas with a dict", 29, "dataclass"),
    ("send with an update and a list of recipients", 11, "neither message_up or message_down"),
    ("send_update comes from its service", 10, "it names the target"),
    ("str(service)", 27, "AttributeError"),
    ("sign_up", 27, "AttributeError"),
)
_AS_USER = (
    ("send_refresh: characters", 6, "mapping"),
    ("update: channel info", 6, "missing 3 required positional arguments"),
    ("send_menu_item_click with a message", 28, "asdict"),
)

_STARTS = (
    ("a wrong password ends it with an error's exit code", 25, "exit code 0"),
    ("a ws:// address is connected to", 1, "not in 5 tries"),
)

EXCEPTED = (
    *(Excepted(scene=SCENE, did=did, defect=n, error=error) for did, n, error in _AS_SERVICE),
    *(
        Excepted(scene=scene_name(protocol), did=did, defect=n, error=error)
        for protocol in ("0.0.1", "1.8")
        for did, n, error in _AS_USER
    ),
    *(Excepted(scene=STARTS, did=did, defect=n, error=error) for did, n, error in _STARTS),
)
