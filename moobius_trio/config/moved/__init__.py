"""The configuration of SDK 1.x turned into ours: found and read, converted, written.

docs/protocol/generation-1.md section 6.2 has its files and keys. No name, type or class is ever
looked up because a file says so, and no secret is told in an error or a report.
"""

from moobius_trio.config.moved.keys import convert_parts
from moobius_trio.config.moved.reading import read_parts
from moobius_trio.config.moved.values import ConvertedConfig, Fate, KeyReport
from moobius_trio.config.moved.writing import write_converted

__all__ = (
    "ConvertedConfig",
    "Fate",
    "KeyReport",
    "convert_parts",
    "read_parts",
    "write_converted",
)
