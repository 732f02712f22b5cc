"""What a person of a test sees: everything that services have sent, as it stands now.

Nothing is sent or received here.
"""

from __future__ import annotations

from moobius_trio.types import (
    Character,
    Feature,
    MenuItem,
    MessageDown,
    Playground,
    StyleItem,
    UpdateFeatures,
    UpdateMenu,
    UpdatePlayground,
    UpdateStyle,
    UpdateUserList,
    UserEvent,
)

__all__ = ("Screen",)

__tracebackhide__ = True  # pytest shows the test's line and the service's, not ours


class Screen:
    """A person's screen; what is seen stays until something replaces it.

    Attributes:
        name: whose it is.
        messages: what this person was sent, oldest first.
        characters: the character list as this person was sent it.
        keys: the keys on the screen.
        menu: what the menu of a message has.
        stage: the stage on the screen, of a canvas its first item; None until one came.
        canvas: all items of the stage in order; empty until one came, and when it was emptied.
        style: how the parts of the screen are shown.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.messages: list[MessageDown] = []
        self.characters: tuple[Character, ...] = ()
        self.keys: tuple[Feature, ...] = ()
        self.menu: tuple[MenuItem, ...] = ()
        self.stage: Playground | None = None
        self.canvas: tuple[Playground, ...] = ()
        self.style: tuple[StyleItem, ...] = ()
        self.seen = 0
        """How many messages and updates this person was sent."""

    def show(self, event: UserEvent) -> None:
        """Something came."""
        self.seen += 1
        match event:
            case MessageDown():
                self.messages.append(event)
            case UpdateUserList():
                self.characters = event.user_list
            case UpdateFeatures():
                self.keys = event.features
            case UpdateMenu():
                self.menu = event.menu
            case UpdatePlayground():
                self.stage, self.canvas = event.content, event.items
            case UpdateStyle():
                self.style = event.style

    @property
    def last(self) -> MessageDown:
        """The newest message.

        Raises:
            AssertionError: none has come.
        """
        if not self.messages:
            raise AssertionError(f"{self.name} has been sent no message")
        return self.messages[-1]

    @property
    def texts(self) -> list[str]:
        """The texts of all messages, oldest first; messages that are no text are left out."""
        return [message.text for message in self.messages if message.text is not None]

    @property
    def names(self) -> list[str]:
        """The nicknames on this person's character list, in order."""
        return [character.nickname for character in self.characters]

    def key(self, feature_id: str) -> Feature:
        """One of this person's keys.

        Raises:
            AssertionError: there is no such key on the screen.
        """
        for feature in self.keys:
            if feature.feature_id == feature_id:
                return feature
        shown = ", ".join(feature.feature_id for feature in self.keys) or "none"
        raise AssertionError(f"{self.name} has no key {feature_id!r}; on the screen: {shown}")

    def character(self, nickname: str) -> Character:
        """One of this person's characters, by nickname.

        Raises:
            AssertionError: there is none on the list.
        """
        for character in self.characters:
            if character.nickname == nickname:
                return character
        raise AssertionError(f"{self.name} does not see {nickname!r}, only {self.names}")

    def clear(self) -> None:
        """Forget what was sent so far: no messages, an empty screen."""
        self.messages.clear()
        self.characters, self.keys, self.style, self.menu = (), (), (), ()
        self.stage, self.canvas = None, ()

    def menu_item(self, menu_item_id: str, message: MessageDown) -> MenuItem:
        """An entry of a message's menu.

        Raises:
            AssertionError: messages of this kind have no such entry.
        """
        for item in self.menu:
            if item.menu_item_id == menu_item_id:
                if item.message_subtypes and message.subtype not in item.message_subtypes:
                    kinds = ", ".join(item.message_subtypes)
                    raise AssertionError(
                        f"{menu_item_id!r} is for messages of kind {kinds}, not {message.subtype}"
                    )
                return item
        there = ", ".join(item.menu_item_id for item in self.menu) or "nothing"
        raise AssertionError(
            f"{self.name} has no {menu_item_id!r} in the menu of a message; it has: {there}"
        )
