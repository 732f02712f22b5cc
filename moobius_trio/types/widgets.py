"""What a user's screen shows besides messages: keys, the stage, the style."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from moobius_trio.types.values import as_tuple, as_tuple_of, expect

__all__ = (
    "BottomButton",
    "Dialog",
    "Feature",
    "FeatureArgument",
    "MenuItem",
    "Playground",
    "StyleItem",
    "as_features",
    "as_menu",
    "as_playground",
    "as_playgrounds",
    "as_style_items",
)


def _as_texts(values: Iterable[str]) -> tuple[str, ...]:
    return as_tuple(values)


@attrs.frozen(kw_only=True)
class FeatureArgument:
    """One field of the form that a key opens: free text, or a choice.

    Attributes:
        name: the field's label, and the name its value comes back under.
        type: ``string`` for a line of text, ``enum`` for a choice among ``values``; also
            ``textbox`` (several lines), ``number`` and ``password``, which generation 0 shows as
            a line.
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
class BottomButton:
    """A button under a form. Each closes it; only one with ``submit`` sends the call."""

    id: str
    text: str
    submit: bool = True


def _as_bottom_buttons(values: Iterable[BottomButton]) -> tuple[BottomButton, ...]:
    return as_tuple_of(BottomButton, values, "write BottomButton(id=…, text=…)")


@attrs.frozen(kw_only=True)
class Dialog:
    """How the form of a key or menu item looks besides its fields.

    Wire: docs/protocol/generation-1.md sections 3.2 and 4.

    Attributes:
        title: what stands above the fields; empty: the platform's own word.
        bottom_buttons: the buttons under them; none: one whose id is ``confirm``.
    """

    title: str = ""
    bottom_buttons: tuple[BottomButton, ...] = attrs.field(default=(), converter=_as_bottom_buttons)


@attrs.frozen(kw_only=True)
class Feature:
    """A key (button). With arguments it opens a form; without, the call is sent at once.

    Wire: docs/protocol/generation-0.md section 3.5.

    Attributes:
        feature_id: what a `FeatureCall` names it by; unique among the keys of a screen.
        button_text: what stands on it.
        feature_name: a name on the wire that no screen shows; the id unless given.
        arguments: the fields of the form.
        new_window: True: a form opens before the call is sent; so it is when there are arguments
            or a dialog.
        dialog: the form's title and buttons; None: the usual ones.
    """

    feature_id: str
    button_text: str
    feature_name: str = attrs.field(
        default=attrs.Factory(lambda self: self.feature_id, takes_self=True)
    )
    arguments: tuple[FeatureArgument, ...] = attrs.field(default=(), converter=_as_arguments)
    dialog: Dialog | None = None
    new_window: bool = attrs.field(
        default=attrs.Factory(
            lambda self: bool(self.arguments) or self.dialog is not None, takes_self=True
        )
    )


@attrs.frozen(kw_only=True)
class MenuItem:
    """An entry of the menu that a message opens. With arguments or a dialog it opens a form.

    Wire: docs/protocol/generation-1.md section 3.2; generation 0 has no menus of its own.

    Attributes:
        menu_item_id: what a `MenuItemClick` names it by.
        menu_item_text: what stands in the menu.
        message_subtypes: the kinds of message that have it, such as ``text``; none: all.
        arguments: the fields of the form.
        dialog: the form's title and buttons; None: the usual ones.
    """

    menu_item_id: str
    menu_item_text: str
    message_subtypes: tuple[str, ...] = attrs.field(default=(), converter=_as_texts)
    arguments: tuple[FeatureArgument, ...] = attrs.field(default=(), converter=_as_arguments)
    dialog: Dialog | None = None


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
    feature_id: str | None = None
    """The key that is meant where the widget is ``feature``; None: all of them."""
    text: str | None = None
    """What stands on or beside the part, where the platform shows it."""


def as_features(values: Iterable[Feature]) -> tuple[Feature, ...]:
    """The keys as a tuple."""
    remedy = "write Feature(feature_id=…, button_text=…); load_features(path) reads a features.json"
    return as_tuple_of(Feature, values, remedy)


def as_menu(values: Iterable[MenuItem]) -> tuple[MenuItem, ...]:
    """The menu as a tuple."""
    return as_tuple_of(MenuItem, values, "write MenuItem(menu_item_id=…, menu_item_text=…)")


def as_playgrounds(values: Iterable[Playground]) -> tuple[Playground, ...]:
    """The items of a canvas as a tuple."""
    return as_tuple_of(Playground, values, "write Playground(path=…, text=…)")


def as_playground(value: Playground) -> Playground:
    """The stage itself."""
    return expect(Playground, value, "write Playground(path=…, text=…)")


def as_style_items(values: Iterable[StyleItem]) -> tuple[StyleItem, ...]:
    """The items as a tuple."""
    return as_tuple_of(StyleItem, values, "write StyleItem(widget=…)")
