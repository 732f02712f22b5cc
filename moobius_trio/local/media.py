"""What uploaded bytes are, told by the bytes alone.

Pure. What a client says of a file, its name and type, is never believed
(docs/architecture.md section 8).
"""

from __future__ import annotations

from typing import Final

__all__ = ("OTHER", "is_shown_inline", "sniff")

OTHER: Final = "application/octet-stream"
"""Everything that is not known to be harmless: it is offered for saving, never shown."""

_STARTS: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"ID3", "audio/mpeg"),
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
)
_BOXES: Final = (b"M4A ", b"isom", b"iso5", b"iso6", b"mp41", b"mp42")
"""The first word of MPEG-4 files, among them what browsers record of a voice."""

_RIFF: Final = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}


def sniff(content: bytes) -> str:
    """The media type of a picture or sound of a known kind, else ``OTHER``."""
    for start, media_type in _STARTS:
        if content.startswith(start):
            return media_type
    if content[:4] == b"RIFF":
        return _RIFF.get(content[8:12], OTHER)
    if content[4:8] == b"ftyp" and content[8:12] in _BOXES:
        return "audio/mp4"
    if content.startswith(b"\x1a\x45\xdf\xa3") and b"webm" in content[:64]:
        return "audio/webm"
    if len(content) > 2 and content[0] == 0xFF:
        if content[1] & 0xE6 == 0xE2:
            return "audio/mpeg"  # a frame of MPEG layer III without a tag before it
        if content[1] & 0xF6 == 0xF0:
            return "audio/aac"  # one of ADTS
    return OTHER


def is_shown_inline(media_type: str) -> bool:
    """True for what a browser may show in place."""
    return media_type != OTHER
