"""The form of a key as the page would let a person fill it in. Pure; nothing is sent here."""

from __future__ import annotations

from collections.abc import Mapping

from moobius_trio.types import Feature, FeatureArgument, FeatureCallArgument

__all__ = ("filled_in",)


def filled_in(key: Feature, given: Mapping[str, str | int]) -> tuple[FeatureCallArgument, ...]:
    """What the page sends, in the order of the key's fields.

    Raises:
        AssertionError: a field is missing or not of this key, or a choice is not offered.
    """
    fields = {field.name: field for field in key.arguments}
    for name, value in given.items():
        if name not in fields:
            raise AssertionError(
                f"key {key.feature_id!r} has no field {name!r}: {_described(fields)}"
            )
        choices = fields[name].values
        if fields[name].type == "enum" and str(value) not in choices:
            raise AssertionError(
                f"key {key.feature_id!r} offers {list(choices)} as {name!r}, not {value!r}"
            )
    missing = [name for name, field in fields.items() if not (field.optional or name in given)]
    if missing:
        raise AssertionError(
            f"key {key.feature_id!r} needs {missing}, as click({key.feature_id!r}, "
            f"{', '.join(f'{name}=…' for name in missing)})"
        )
    return tuple(
        FeatureCallArgument(name=name, value=given[name]) for name in fields if name in given
    )


def _described(fields: Mapping[str, FeatureArgument]) -> str:
    return f"its fields are {list(fields)}" if fields else "it has no form"
