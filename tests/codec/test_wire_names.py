"""The wire's words stand in codec/ and nowhere else in the package."""

from __future__ import annotations

import ast
from pathlib import Path

import moobius_trio

PACKAGE = Path(moobius_trio.__file__).parent

WIRE_ONLY = frozenset(
    {
        *("AccessToken", "AuthenticationResult", "RefreshToken", "auth_origin", "refresh_token"),
        *("connectionId", "copy_client", "feature_call", "fetch_userlist", "msg_down", "msg_up"),
        *("origin_type", "requestId", "service_login", "update_features", "update_playground"),
        *("update_style", "update_userlist", "user_context", "user_login", "userlist"),
        # and those of generation 1
        *("bottom_buttons", "button_click", "button_id", "character_context", "choices"),
        *("character_list", "confirmation_code", "email_verified"),
        *("message_down", "message_up", "system_context"),
    }
)

ALLOWED = {
    # The stored form of a character nests as the wire's (docs/architecture.md section 6).
    (Path("database/json_records.py"), "user_context"),
    # A tape keeps the frames of one generation of the wire as they were, and compares them so.
    *((Path("tapes/tape.py"), name) for name in ("msg_up", "msg_down", "feature_call")),
    *((Path("tapes/normal.py"), name) for name in ("msg_up", "feature_call", "user_context")),
    (Path("tapes/comparing.py"), "update_style"),
}


WRITTEN_OUT = Path("testing/wires.py")
"""Clients for tests that write and read frames without the codec."""


def wire_names(source: str) -> set[str]:
    """The wire's words that stand in ``source`` as texts of their own."""
    return {
        node.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    } & WIRE_ONLY


def test_wire_names_stay_in_the_codec() -> None:
    """A wire name anywhere else would have to be changed there for the next generation."""
    found = {
        (path.relative_to(PACKAGE), name)
        for path in PACKAGE.rglob("*.py")
        if "codec" not in path.relative_to(PACKAGE).parts[:1]
        and path.relative_to(PACKAGE) != WRITTEN_OUT
        for name in wire_names(path.read_text(encoding="utf-8"))
    }
    assert found <= ALLOWED


def test_the_search_finds_what_is_there() -> None:
    """Each of the words is one that the codec really uses, as a text or as a field of a shape."""
    codec = "".join(path.read_text(encoding="utf-8") for path in (PACKAGE / "codec").glob("*.py"))
    assert {name for name in WIRE_ONLY if name not in codec} == set()
    assert wire_names('frame = {"type": "msg_up"}  # "copy_client"') == {"msg_up"}
