"""Passwords, tokens, and what a file is: the small parts that security stands on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moobius_trio.local.credentials import TokenBook, hash_password, password_matches
from moobius_trio.local.media import OTHER, is_shown_inline, sniff
from moobius_trio.types import Secret, UserId

ALICE = UserId("alice")


def test_a_password_fits_its_hash_and_no_other_does() -> None:
    """Two hashes of one password differ, and none of them holds it."""
    hashes = {hash_password(Secret("canary")) for _ in range(2)}
    assert len(hashes) == 2
    for password_hash in hashes:
        assert "canary" not in password_hash
        assert password_matches(Secret("canary"), password_hash)
        assert not password_matches(Secret("Canary"), password_hash)


@pytest.mark.parametrize("password_hash", ["", "scrypt$", "scrypt$1$2$3$zz$zz", "a$b$c$d$e$f"])
def test_what_is_no_hash_lets_nobody_in(password_hash: str) -> None:
    """A guest has an empty hash; an empty password does not fit it."""
    assert not password_matches(Secret(""), password_hash)


def test_passwords_may_be_any_text_that_json_can_carry() -> None:
    """A lone surrogate is a character like any other."""
    assert password_matches(Secret("\ud800"), hash_password(Secret("\ud800")))


def test_tokens_open_what_they_were_made_for_until_they_expire() -> None:
    """Access and refresh tokens are not each other's, and end at their time."""
    book = TokenBook()
    tokens = book.issue(ALICE, now=0, access_seconds=10, refresh_seconds=20)
    assert tokens.refresh is not None
    access, refresh = tokens.access.reveal(), tokens.refresh
    assert book.access(access, now=9.9) == ALICE
    assert book.access(access, now=10) is None
    assert book.access(refresh.reveal(), now=0) is None
    assert book.refresh(refresh, now=19.9) == ALICE
    assert book.refresh(refresh, now=20) is None
    assert book.refresh(tokens.access, now=0) is None


@given(st.text())
def test_no_text_is_a_token_by_chance(text: str) -> None:
    """Whatever is sent instead of a token, also with a right handle, opens nothing (S18)."""
    book = TokenBook()
    token = book.issue(ALICE, now=0, access_seconds=10, refresh_seconds=10).access.reveal()
    handle = token.partition(".")[0]
    for wrong in (text, f"{handle}.{text}", token[:-1], token + "x", f"{handle}."):
        assert book.access(wrong, now=0) is None


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\nrest", "image/png"),
        (b"\xff\xd8\xff\xe0rest", "image/jpeg"),
        (b"GIF89arest", "image/gif"),
        (b"RIFF\0\0\0\0WEBPrest", "image/webp"),
        (b"RIFF\0\0\0\0WAVErest", "audio/wav"),
        (b"RIFF\0\0\0\0AVI rest", OTHER),
        (b"ID3\x04rest", "audio/mpeg"),
        (b"\xff\xfb\x90\x00", "audio/mpeg"),
        (b"OggS\0rest", "audio/ogg"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", OTHER),
        (b"<!doctype html><script>1</script>", OTHER),
        (b"%PDF-1.7", OTHER),
        (b"\xff\xfe<\0h\0t\0m\0l", OTHER),
        (b"", OTHER),
        (b"\xff", OTHER),
    ],
)
def test_a_file_is_what_its_bytes_say(content: bytes, media_type: str) -> None:
    """Only known pictures and sounds are shown; markup and everything else is to be saved."""
    assert sniff(content) == media_type
    assert is_shown_inline(media_type) == (media_type != OTHER)
