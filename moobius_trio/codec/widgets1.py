"""What a user's screen shows besides messages, as generation 1's updates have it: to be read.

A field's name is the key on the wire; one without a default must be there, keys that are not
named are ignored (docs/protocol/generation-1.md sections 3.2 and 4). Nothing is written here:
that is ``plain1``.
"""

from __future__ import annotations

import attrs

from moobius_trio.codec.irregular import as_list, not_false, or_null, true_or_false
from moobius_trio.codec.tags1 import MESSAGE_SUBTYPES, component_from_wire, widget_from_wire
from moobius_trio.types import (
    BottomButton,
    ChannelId,
    Dialog,
    Feature,
    FeatureArgument,
    GroupId,
    MenuItem,
    Playground,
    StyleItem,
    UpdateFeatures,
    UpdateMenu,
    UpdatePlayground,
    UpdateStyle,
    UserId,
)

__all__ = ("ButtonsShape", "CanvasShape", "CharactersShape", "MenuShape", "StyleShape")


@attrs.define(eq=False, repr=False)
class _ComponentShape:
    label: str
    type: str
    required: bool = or_null(False)
    placeholder: str = or_null("")
    choices: tuple[str, ...] = or_null(())

    def value(self) -> FeatureArgument:
        return FeatureArgument(
            name=self.label,
            type=component_from_wire(self.type),
            optional=not self.required,
            values=self.choices,
            placeholder=self.placeholder,
        )


@attrs.define(eq=False, repr=False)
class _DialogShape:
    title: str = or_null("")
    components: tuple[_ComponentShape, ...] = or_null(())
    bottom_buttons: tuple[BottomButton, ...] = or_null(())

    def arguments(self) -> tuple[FeatureArgument, ...]:
        return tuple(each.value() for each in self.components)

    def value(self, label: str) -> Dialog | None:
        """What is unusual about it; None for a form of fields under the words of its key.

        A form needs a title here, so that ``plain1`` writes the label where there is none.
        """
        title = "" if self.title == label else self.title
        if self.components and not title and not self.bottom_buttons:
            return None
        return Dialog(title=title, bottom_buttons=self.bottom_buttons)


@attrs.define(eq=False, repr=False)
class _ButtonShape:
    button_id: str
    button_text: str
    dialog: _DialogShape | None = or_null(None, regular=not_false)

    def value(self) -> Feature:
        form = self.dialog
        return Feature(
            feature_id=self.button_id,
            button_text=self.button_text,
            arguments=() if form is None else form.arguments(),
            dialog=None if form is None else form.value(self.button_text),
        )


@attrs.define(eq=False, repr=False)
class _MenuItemShape:
    menu_item_id: str
    menu_item_text: str
    message_subtypes: tuple[str, ...] = or_null((), regular=as_list)
    dialog: _DialogShape | None = or_null(None, regular=not_false)

    def value(self) -> MenuItem:
        form = self.dialog
        return MenuItem(
            menu_item_id=self.menu_item_id,
            menu_item_text=self.menu_item_text,
            message_subtypes=()
            if self.message_subtypes == MESSAGE_SUBTYPES
            else self.message_subtypes,
            arguments=() if form is None else form.arguments(),
            dialog=None if form is None else form.value(self.menu_item_text),
        )


@attrs.define(eq=False, repr=False)
class _StyleItemShape:
    widget: str
    display: str = or_null("visible")
    expand: bool = or_null(True, regular=true_or_false)
    button_id: str | None = None
    text: str | None = None

    def value(self) -> StyleItem:
        return StyleItem(
            widget=widget_from_wire(self.widget),
            display=self.display,
            expand=self.expand,
            feature_id=self.button_id,
            text=self.text,
        )


@attrs.define(eq=False, repr=False)
class _GroupShape:
    characters: GroupId


@attrs.define(eq=False, repr=False)
class CharactersShape:
    """The body of an update of the character list, which is a group."""

    channel_id: ChannelId
    content: _GroupShape


@attrs.define(eq=False, repr=False)
class ButtonsShape:
    """The body of an update of the keys."""

    channel_id: ChannelId
    content: tuple[_ButtonShape, ...]

    def value(self, recipients: tuple[UserId, ...]) -> UpdateFeatures:
        keys = [each.value() for each in self.content]
        return UpdateFeatures(channel_id=self.channel_id, features=keys, recipients=recipients)


@attrs.define(eq=False, repr=False)
class MenuShape:
    """The body of an update of the menu that messages open."""

    channel_id: ChannelId
    content: tuple[_MenuItemShape, ...]

    def value(self, recipients: tuple[UserId, ...]) -> UpdateMenu:
        menu = [each.value() for each in self.content]
        return UpdateMenu(channel_id=self.channel_id, menu=menu, recipients=recipients)


@attrs.define(eq=False, repr=False)
class CanvasShape:
    """The body of an update of the stage: none, one or several items."""

    channel_id: ChannelId
    content: tuple[Playground, ...]

    def value(self, recipients: tuple[UserId, ...]) -> UpdatePlayground:
        return UpdatePlayground(
            channel_id=self.channel_id,
            content=self.content[0] if self.content else Playground(),
            more=self.content[1:],
            recipients=recipients,
        )


@attrs.define(eq=False, repr=False)
class StyleShape:
    """The body of an update of the style."""

    channel_id: ChannelId
    content: tuple[_StyleItemShape, ...]

    def value(self, recipients: tuple[UserId, ...]) -> UpdateStyle:
        style = [each.value() for each in self.content]
        return UpdateStyle(channel_id=self.channel_id, style=style, recipients=recipients)
