"""What a user's screen shows besides messages: keys, the stage, the style."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from moobius_trio.types.values import as_tuple, as_tuple_of, expect

__all__ = (
    "Feature",
    "FeatureArgument",
    "Playground",
    "StyleItem",
    "as_features",
    "as_playground",
    "as_style_items",
)


def _as_texts(values: Iterable[str]) -> tuple[str, ...]:
    return as_tuple(values)


@attrs.frozen(kw_only=True)
class FeatureArgument:
    """One field of the form that a key opens: free text, or a choice.

    Attributes:
        name: the field's label, and the name its value comes back under.
        type: ``string`` for free text, ``enum`` for a choice among ``values``.
        placeholder: what an empty field shows.
    """

    name: str
    type: str = "string"
    optional: bool = False
    values: tuple[str, ...] = attrs.field(default=(), converter=_as_texts)
    placeholder: str = ""


def _as_arguments(values: Iterable[FeatureArgument]) -> tuple[FeatureArgument, ...]:
    return as_tuple_of(FeatureArgument, values, "write FeatureArgument(name=…)")


@attrs.frozen(kw_only=True)
class Feature:
    """A key (button). With arguments it opens a form; without, the call is sent at once.

    Wire: docs/protocol/generation-0.md section 3.5.

    Attributes:
        feature_id: what a `FeatureCall` names it by; unique among the keys of a screen.
        button_text: what stands on it.
        feature_name: a name on the wire that no screen shows; the id unless given.
        arguments: the fields of the form.
        new_window: True: a form opens before the call is sent; so it is when there are arguments.
    """

    feature_id: str
    button_text: str
    feature_name: str = attrs.field(
        default=attrs.Factory(lambda self: self.feature_id, takes_self=True)
    )
    arguments: tuple[FeatureArgument, ...] = attrs.field(default=(), converter=_as_arguments)
    new_window: bool = attrs.field(
        default=attrs.Factory(lambda self: bool(self.arguments), takes_self=True)
    )


@attrs.frozen(kw_only=True)
class Playground:
    """The stage beside the chat: a picture, a text, or both."""

    path: str | None = None
    text: str | None = None


@attrs.frozen(kw_only=True)
class StyleItem:
    """How one part of a user's screen is shown."""

    widget: str
    """``playground``, ``channel`` or ``feature``."""
    display: str = "visible"
    """``visible``, ``invisible`` or ``highlight``."""
    expand: bool = True


def as_features(values: Iterable[Feature]) -> tuple[Feature, ...]:
    """The keys as a tuple."""
    remedy = "write Feature(feature_id=…, button_text=…); load_features(path) reads a features.json"
    return as_tuple_of(Feature, values, remedy)


def as_playground(value: Playground) -> Playground:
    """The stage itself."""
    return expect(Playground, value, "write Playground(path=…, text=…)")


def as_style_items(values: Iterable[StyleItem]) -> tuple[StyleItem, ...]:
    """The items as a tuple."""
    return as_tuple_of(StyleItem, values, "write StyleItem(widget=…)")
