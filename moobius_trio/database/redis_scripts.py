"""The names of the keys on a Redis server, and the scripts that change what lies under them.

All keys of one band share the part in braces, so that a cluster keeps them on one node and one
script can change them together. No connection is known here.

Every script that writes may be given again, and may also run much later than it was sent (from the
socket buffer of a server that was frozen). So the meta hash of a band says who owns it and which
commit was the last: whatever is done already, or comes from another owner, changes nothing.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, unquote_to_bytes

from moobius_trio.database.engine import Place
from moobius_trio.types import ChannelId, ServiceId

__all__ = (
    "APPLY",
    "ASIDE",
    "CLAIM",
    "FENCE",
    "LEASE",
    "RELEASE",
    "STAGE",
    "Keys",
)


class Keys:
    """The keys of one service. Ids are percent-encoded, so no id reaches into another's keys."""

    def __init__(self, service_id: ServiceId) -> None:
        self._service = _encoded(service_id)
        self.lease: Final = f"moobius:{{{self._service}}}::lease".encode()
        self.format: Final = f"moobius:{{{self._service}}}::format".encode()
        # An encoded id holds none of the characters that mean something in a pattern.
        self.pattern: Final = f"moobius:{{{self._service}[:}}]*".encode()

    def container(self, place: Place) -> bytes:
        """The hash with the records of one container."""
        return self._band(place.band) + b":" + _encoded(place.container).encode()

    def meta(self, band: ChannelId | None) -> bytes:
        """The hash with a band's owner and the number of its last commit."""
        return self._band(band) + b"::meta"

    def staged(self, band: ChannelId | None) -> bytes:
        """The list in which a large commit is gathered."""
        return self._band(band) + b"::staged"

    def aside(self, place: Place) -> bytes:
        """The list of records that could not be read: key, value and problem of each in turn."""
        return self._band(place.band) + b"::aside:" + _encoded(place.container).encode()

    def place(self, key: bytes) -> Place | None:
        """What a key is of; None if it is no container's."""
        text = key.decode("ascii", "replace")
        owner, brace, name = text.removeprefix("moobius:{").partition("}:")
        service, colon, band = owner.partition(":")
        if not brace or service != self._service or name.startswith(":"):
            return None
        return Place(ChannelId(_decoded(band)) if colon else None, _decoded(name))

    def _band(self, band: ChannelId | None) -> bytes:
        inner = self._service if band is None else f"{self._service}:{_encoded(band)}"
        return f"moobius:{{{inner}}}".encode()


def _encoded(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def _decoded(text: str) -> str:
    return unquote_to_bytes(text).decode("utf-8", "surrogatepass")


# KEYS[1]: the meta hash. ARGV: 1 the owner that speaks, 2 the owner that may be found in its place
# (empty for none: see FENCE), 3 the last number that is known to be done, 4 this one's number.
_GUARD = """
local known = redis.call('HMGET', KEYS[1], 'owner', 'seq', 'staged')
local owner, seq = known[1] or '', tonumber(known[2])
if not seq or (owner == '' and ARGV[2] ~= '') then return 'lost' end
if owner ~= ARGV[1] and owner ~= ARGV[2] then return 'taken' end
if owner == ARGV[1] and seq >= tonumber(ARGV[4]) then return 'done' end
if seq < tonumber(ARGV[3]) then return 'lost' end
"""

_DONE = """
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'seq', ARGV[4])
return 'ok'
"""

APPLY: Final = (
    _GUARD
    + """
for i = 2, #KEYS do
  local kind = redis.call('TYPE', KEYS[i]).ok
  if kind ~= 'none' and kind ~= (i == 2 and 'list' or 'hash') then
    return 'foreign ' .. KEYS[i]
  end
end
local function apply(entries, first)
  for i = first, #entries, 4 do
    local key = KEYS[tonumber(entries[i + 1])]
    if entries[i] == 's' then
      redis.call('HSET', key, entries[i + 2], entries[i + 3])
    elseif entries[i] == 'd' then
      redis.call('HDEL', key, entries[i + 2])
    else
      redis.call('UNLINK', key)
    end
  end
end
if ARGV[5] ~= '0' then
  if known[3] ~= ARGV[4] .. ':' .. ARGV[5] then return 'restart' end
  for at = 0, redis.call('LLEN', KEYS[2]) - 1, 40 do
    apply(redis.call('LRANGE', KEYS[2], at, at + 39), 1)
  end
end
apply(ARGV, 6)
redis.call('UNLINK', KEYS[2])
"""
    + _DONE
)
"""Store one commit of one band. KEYS: meta, staged, the containers. ARGV after the guard's: how
many parts were staged before, then four for each change: ``s``et, ``d``elete or ``e``mpty, the
number of the container's key, field, value. All sets come first, so that what needs memory is
refused before anything has gone."""

STAGE: Final = (
    _GUARD
    + """
if ARGV[5] == '0' then
  redis.call('UNLINK', KEYS[2])
elseif known[3] ~= ARGV[4] .. ':' .. ARGV[5] then
  return 'restart'
end
for i = 6, #ARGV do redis.call('RPUSH', KEYS[2], ARGV[i]) end
redis.call('HSET', KEYS[1], 'staged', ARGV[4] .. ':' .. (tonumber(ARGV[5]) + 1))
return 'ok'
"""
)
"""Gather one part of a large commit; KEYS: meta, staged. ARGV: the part's number from 0, then
changes as for `APPLY`. Parts in their order or not at all: ``restart`` says to begin anew."""

ASIDE: Final = (
    _GUARD
    + """
local value = redis.call('HGET', KEYS[2], ARGV[5])
if value then
  redis.call('RPUSH', KEYS[3], ARGV[5], value, ARGV[6])
  redis.call('HDEL', KEYS[2], ARGV[5])
end
"""
    + _DONE
)
"""Move a record out of its container. KEYS: meta, container, aside. ARGV: field, problem."""

CLAIM: Final = """
local owner = redis.call('HGET', KEYS[1], 'owner')
if owner == ARGV[1] then return 'ok' end
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'seq', 0)
redis.call('HDEL', KEYS[1], 'staged')
redis.call('UNLINK', KEYS[2])
return 'ok'
"""
"""Make a band one's own, under the service's lease only. KEYS: meta, staged. ARGV: the owner."""

FENCE: Final = """
if redis.call('HGET', KEYS[1], 'owner') == ARGV[1] then
  redis.call('HDEL', KEYS[1], 'owner')
  redis.call('UNLINK', KEYS[2])
end
return 'ok'
"""
"""After this nothing that an owner sent before can still be done. KEYS: meta, staged. ARGV: the
owner. It needs no memory, since it is wanted after a server refused for lack of it."""

LEASE: Final = """
local found = redis.call('GET', KEYS[1])
if found == ARGV[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return {'held'}
end
if not found or found == ARGV[3] then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return {'held'}
end
return {'other', found, redis.call('PTTL', KEYS[1])}
"""
"""Take or keep the service's lease. KEYS: the lease. ARGV: our text, milliseconds, the text of a
holder that is known to be dead, or nothing."""

RELEASE: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 'ok'
"""
"""Give the lease back. KEYS: the lease. ARGV: our text."""
