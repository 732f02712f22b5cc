"""Names: every misspelt, foreign or ill-formed callback fails with the right form."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from moobius_trio.core.moving import render_moving
from moobius_trio.core.names import (
    MOVED,
    attribute_hint,
    check_callbacks,
    not_a_callback,
    refused_argument,
)
from moobius_trio.core.service import MoobiusService, callback_table
from moobius_trio.errors import CallbackError
from moobius_trio.user.user import MoobiusUser

PAGE = Path(__file__).parents[2] / "docs" / "moving.md"

CALLBACKS = {
    "on_start": (),
    "on_msg_up": ("msg_up",),
    "on_join_channel": ("action",),
    "on_copy": ("copy",),
    "on_error": ("event", "exc"),
}


class Base:
    """A service class without its rest: everything below inherits from it."""

    async def on_start(self) -> None: ...

    async def on_msg_up(self, msg_up: object) -> None: ...

    async def on_join_channel(self, action: object) -> None: ...

    async def on_copy(self, copy: object) -> None: ...

    async def on_error(self, event: object, exc: BaseException) -> None: ...

    def __init_subclass__(cls) -> None:
        check_callbacks(cls, CALLBACKS)


def make(**body: object) -> type[Base]:
    """The class ``Demo`` with this body."""
    return type("Demo", (Base,), body)


def logged(fn: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """A decorator that keeps what it wraps visible."""

    @functools.wraps(fn)
    def wrapper(*args: object) -> Awaitable[None]:
        return fn(*args)

    return wrapper


async def one(self: object, value: object) -> None:
    """A handler with one parameter."""


async def two(self: object, first: object, second: object) -> None:
    """A handler with two parameters."""


def test_misspelt_callback_is_named_with_the_right_one() -> None:
    """The nearest callback is proposed with its form, and the way out for a helper."""
    with pytest.raises(CallbackError) as caught:
        make(on_join_chanel=one)
    assert str(caught.value) == (
        "Demo.on_join_chanel is no callback; did you mean on_join_channel? "
        "Write `async def on_join_channel(self, action)`, "
        "or mark a helper of your own @not_a_callback"
    )
    assert caught.value.where == "Demo.on_join_chanel"
    assert isinstance(caught.value, TypeError)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("on_join", "a name of 1.8; here write `async def on_join_channel(self, action)`"),
        ("on_message", "discord.py; here write `async def on_msg_up(self, msg_up)`"),
        ("on_startup", "a name of aiogram; here write `async def on_start(self)`"),
        (
            "on_message_down",
            "here write `MoobiusUser.on_msg_down` (of user mode; a service is no user,",
        ),
        ("on_button_click", "a name of 1.8; here write `on_feature_call`"),
        ("before_channel_init", "here write `on_channel_init` (called before on_start)"),
        ("on_zebra", "there are on_start, on_msg_up, on_join_channel, on_copy, on_error;"),
    ],
)
def test_names_of_others_come_before_similarity(name: str, words: str) -> None:
    """A name in the table gives its counterpart, a name like no other the whole list."""
    with pytest.raises(CallbackError) as caught:
        make(**{name: one})
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_old_callback_fails_and_names_ours() -> None:
    """Each row of the table is refused by a real service, with a callback that there is."""
    table = callback_table()
    rows = [moved for moved in MOVED if moved.kind == "callback" and moved.old not in table]
    assert rows
    for moved in rows:
        with pytest.raises(CallbackError, match=r"is no callback; a name of") as caught:
            type("Demo", (MoobiusService,), {moved.old: one})
        if moved.new.isidentifier():
            assert moved.new in table
            assert f"async def {moved.new}(self" in str(caught.value)


def test_names_of_user_mode_are_those_of_a_user() -> None:
    """What the table says of MoobiusUser is there; in such a class its form is told."""
    ours = {
        moved.new.removeprefix("MoobiusUser.")
        for moved in MOVED
        if moved.new.startswith("MoobiusUser.")
    }
    assert len(ours) > 10
    assert ours <= set(dir(MoobiusUser))
    with pytest.raises(CallbackError, match=r"write `async def on_msg_down\(self, msg_down\)`"):
        type("Me", (MoobiusUser,), {"on_message_down": one})


@pytest.mark.parametrize("method", [two, lambda self, a, b: None, staticmethod(two)])
def test_other_parameters_are_refused(method: object) -> None:
    """A callback that cannot be called with what the SDK gives is refused with its form."""
    with pytest.raises(CallbackError, match=r"write `async def on_msg_up\(self, msg_up\)`"):
        make(on_msg_up=method)


def test_what_can_be_called_is_accepted() -> None:
    """Other names, defaults and star arguments do not matter."""

    async def optional(self: object, action: object, loud: bool = False) -> None: ...

    async def anything(*values: object) -> None: ...

    async def bare(action: object) -> None: ...

    async def of_class(cls: type, action: object) -> None: ...

    async def needy(self: object, action: object, *, loud: bool) -> None: ...

    methods: tuple[object, ...] = (
        one,
        optional,
        anything,
        staticmethod(bare),
        classmethod(of_class),
    )
    for method in methods:
        make(on_join_channel=method)
    with pytest.raises(CallbackError, match="does not take what it is given"):
        make(on_join_channel=needy)


def test_callback_that_is_not_async_is_refused() -> None:
    """A plain function, a generator and a hidden coroutine each fail with their remedy."""

    def plain(self: object, msg_up: object) -> None: ...

    async def yielding(self: object, msg_up: object) -> AsyncIterator[object]:  # noqa: ASYNC900
        yield msg_up

    def hiding(*args: object) -> object:
        return one(*args)

    with pytest.raises(CallbackError, match=r"Demo\.on_msg_up is not asynchronous"):
        make(on_msg_up=plain)
    with pytest.raises(CallbackError, match="must not yield"):
        make(on_msg_up=yielding)
    with pytest.raises(CallbackError, match=r"its decorator hides the method: functools\.wraps"):
        make(on_msg_up=hiding)
    with pytest.raises(CallbackError, match="must be a method"):
        make(on_msg_up="hello")


def test_decorated_callbacks_are_judged_by_what_they_wrap() -> None:
    """functools.wraps keeps a callback a callback, with the parameters that it has inside."""
    make(on_msg_up=logged(one))
    make(on_msg_up=logged(logged(one)))
    with pytest.raises(CallbackError, match="does not take what it is given"):
        make(on_msg_up=logged(two))

    @functools.wraps(lambda self, msg_up: None)
    async def in_thread(*args: object) -> None: ...

    make(on_msg_up=in_thread)


def test_marked_helper_and_its_overrides_are_left_alone() -> None:
    """A helper that is marked once may be overridden without a mark, in any form."""

    @not_a_callback
    def helper(self: object) -> None: ...

    parent = make(on_fire=helper, on_water=not_a_callback(staticmethod(two)))
    type("Child", (parent,), {"on_fire": two})


def test_other_attributes_are_left_alone() -> None:
    """Values, properties and nested classes that begin with on_ are no methods."""
    make(on_color="red", on_size=property(lambda self: 3), on_form=type("Form", (), {}))


def test_misspelt_callback_of_a_mixin_is_found() -> None:
    """A mixin that is no service is checked with the class that it is mixed into."""
    mixin = type("Greeting", (), {"on_join_chanel": one})
    with pytest.raises(CallbackError, match=r"Greeting\.on_join_chanel is no callback"):
        type("Demo", (mixin, Base), {})


def test_hints_name_ours_and_are_silent_otherwise() -> None:
    """Old attributes and arguments give a clause, all other names None."""
    assert attribute_hint("send_message") == (
        "a name of 1.8; here write `create_message(channel_id, content, recipients)` "
        "(reply(event, text) answers a user, send_file(channel_id, path, recipients) uploads)"
    )
    assert attribute_hint("send_refresh") == (
        "a name of 1.8; here write `MoobiusUser.refresh` "
        "(of user mode; a service is no user, and in tests the kit's actors are)"
    )
    assert refused_argument("background") == (
        "an argument of 0.0.1; here write `handle = await wand.run(Demo())` "
        "(services run side by side in the block of the wand, in one process)"
    )
    for name in ("send_msg_down", "__len__", "on_message", "background"):
        assert attribute_hint(name) is None
    assert refused_argument("send_message") is None


def test_table_has_each_name_once_and_none_that_is_ours() -> None:
    """No old name is listed twice of a kind, and no method that a service has is called old."""
    for kind in ("callback", "method", "argument"):
        names = [moved.old for moved in MOVED if moved.kind == kind]
        assert len(names) == len(set(names))
    methods = {moved.old for moved in MOVED if moved.kind == "method"}
    assert not methods & set(dir(MoobiusService))
    arguments = {moved.old for moved in MOVED if moved.kind == "argument"}
    assert not arguments & set(inspect.signature(MoobiusService).parameters)


def test_page_has_the_tables_as_they_are() -> None:
    """docs/moving.md is what render_moving makes of it: run that again after a change."""
    page = PAGE.read_text(encoding="utf-8")
    assert page == render_moving(page)
    for moved in MOVED:
        assert f"| `{moved.old}` |" in page
