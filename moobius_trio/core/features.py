"""Reading a file of keys; what the file may hold is the codec's to say."""

from __future__ import annotations

from pathlib import Path

from moobius_trio.codec.features import decode_features
from moobius_trio.errors import ConfigError, MalformedPayload
from moobius_trio.types import Feature

__all__ = ("load_features",)


def load_features(path: str | Path) -> tuple[Feature, ...]:
    """The keys of a features.json, as `send_update_features` takes them.

    Blocks while it reads; meant for the module's top or the constructor. A relative path counts
    from the working directory, so ``Path(__file__).parent / "features.json"`` is a good one.

    Raises:
        ConfigError: the file cannot be read, or is no list of keys; the fault's place is named.
    """
    try:
        return decode_features(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(str(path), f"cannot be read ({exc})") from exc
    except MalformedPayload as exc:
        raise ConfigError(str(path), "; ".join(exc.faults)) from exc
