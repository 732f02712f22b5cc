"""The form of a key or menu entry as the page would let a person fill it in. Nothing is sent."""

from __future__ import annotations

from collections.abc import Mapping

from moobius_trio.types import (
    CONFIRM,
    Feature,
    FeatureArgument,
    FeatureCallArgument,
    MenuItem,
)

__all__ = ("filled_in", "pressed")


def pressed(item: Feature | MenuItem, bottom_button_id: str | None) -> str:
    """Which button of its form sends it.

    Raises:
        AssertionError: the form has no such button, or it only closes the form.
    """
    buttons = item.dialog.bottom_buttons if item.dialog is not None else ()
    sending = [button.id for button in buttons if button.submit]
    if not buttons:
        sending = [CONFIRM]
    if bottom_button_id is None and sending:
        return sending[0]
    if bottom_button_id is None or bottom_button_id not in sending:
        raise AssertionError(
            f"{_id_of(item)!r} has no button {bottom_button_id!r} that sends its form: {sending}"
        )
    return bottom_button_id


def filled_in(
    key: Feature | MenuItem, given: Mapping[str, str | int]
) -> tuple[FeatureCallArgument, ...]:
    """What the page sends, in the order of the key's fields.

    Raises:
        AssertionError: a field is missing or not of this key, or a choice is not offered.
    """
    fields = {field.name: field for field in key.arguments}
    for name, value in given.items():
        if name not in fields:
            raise AssertionError(f"key {_id_of(key)!r} has no field {name!r}: {_described(fields)}")
        choices = fields[name].values
        if fields[name].type == "enum" and str(value) not in choices:
            raise AssertionError(
                f"key {_id_of(key)!r} offers {list(choices)} as {name!r}, not {value!r}"
            )
    missing = [name for name, field in fields.items() if not (field.optional or name in given)]
    if missing:
        raise AssertionError(
            f"key {_id_of(key)!r} needs {missing}, as {_call(key)}({_id_of(key)!r}, "
            f"{', '.join(f'{name}=…' for name in missing)})"
        )
    return tuple(
        FeatureCallArgument(name=name, value=given[name]) for name in fields if name in given
    )


def _described(fields: Mapping[str, FeatureArgument]) -> str:
    return f"its fields are {list(fields)}" if fields else "it has no form"


def _id_of(item: Feature | MenuItem) -> str:
    return item.feature_id if isinstance(item, Feature) else item.menu_item_id


def _call(item: Feature | MenuItem) -> str:
    return "click" if isinstance(item, Feature) else "choose"
