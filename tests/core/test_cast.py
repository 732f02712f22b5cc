"""Uploads and figures: made once, remembered, and found again."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trio.testing

from moobius_trio import ApiError, Character, MoobiusService, NewCharacter
from moobius_trio.network.side_by_side import both, side_by_side
from moobius_trio.testing import Local
from moobius_trio.testing.core_rig import FaultyApi, faulty_api, runtime_of

CREATE = "/service/user/create"
UPLOAD = "/file/upload"


def pictures(folder: Path, *names: str) -> list[Path]:
    """Files, each with its own content."""
    paths = [folder / name for name in names]
    for path in paths:
        path.write_bytes(b"\x89PNG " + path.name.encode())
    return paths


def uploads(api: FaultyApi) -> int:
    """How many files were asked a place for."""
    return api.count(UPLOAD)


async def test_a_file_is_uploaded_once(local: Local, tmp_path: Path) -> None:
    """The second time its address is known."""
    [cat] = pictures(tmp_path, "cat.png")
    with faulty_api() as api:
        service = MoobiusService()
        await local.start(service)
        first = await service.upload_file(cat)
        assert await service.upload_file(str(cat)) == first
        assert first.startswith("http")
        assert uploads(api) == 1


async def test_what_counts_is_the_content_not_the_name(local: Local, tmp_path: Path) -> None:
    """A copy is the same file; a changed file is another one, and so is another kind of file."""
    [cat] = pictures(tmp_path, "cat.png")
    copy, other_kind = tmp_path / "copy.PNG", tmp_path / "cat.jpg"
    copy.write_bytes(cat.read_bytes())
    other_kind.write_bytes(cat.read_bytes())
    with faulty_api() as api:
        service = MoobiusService()
        await local.start(service)
        first = await service.upload_file(cat)
        assert await service.upload_file(copy) == first
        assert await service.upload_file(other_kind) != first
        cat.write_bytes(b"another cat")
        assert await service.upload_file(cat) != first
        assert uploads(api) == 3


@pytest.mark.parametrize("engine", ["json", "sqlite"])
async def test_uploads_and_figures_are_remembered_over_restarts(
    local: Local, tmp_path: Path, engine: str
) -> None:
    """A service that starts again asks for nothing."""
    [cat] = pictures(tmp_path, "cat.png")
    wanted = NewCharacter(key="cat", nickname="Cat", avatar=cat)

    class Service(MoobiusService):
        async def on_start(self) -> None:
            self.cat = (await self.ensure_characters(wanted))["cat"]
            self.address = await self.upload_file(cat)

    with faulty_api() as api:
        first = Service()
        await local.start(first, engine=engine, state=tmp_path / "state")
        await local.stop()
        api.requests.clear()
        second = Service()
        await local.start(second, engine=engine, state=tmp_path / "state")
        assert (second.cat, second.address) == (first.cat, first.address)
        assert uploads(api) == api.count(CREATE) == api.count("/service/user/list") == 0


async def test_two_who_need_a_file_at_once_upload_it_once(local: Local, tmp_path: Path) -> None:
    """The second one waits for the first; one that gives up does not spoil it for the other."""
    [cat] = pictures(tmp_path, "cat.png")
    addresses: list[str] = []
    with faulty_api() as api:
        service = MoobiusService()
        await local.start(service)
        api.slow[UPLOAD] = 5

        async def upload() -> None:
            addresses.append(await service.upload_file(cat))

        async def give_up() -> None:
            with trio.move_on_after(1):
                await upload()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(upload)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(give_up)
            await trio.sleep(2)
            nursery.start_soon(upload)
        assert len(addresses) == 2
        assert len(set(addresses)) == 1
        assert uploads(api) == 1
        assert runtime_of(service).cast._uploading == {}


async def test_an_upload_that_fails_is_not_remembered(local: Local, tmp_path: Path) -> None:
    """The error is the caller's, and the next call tries again."""
    [cat] = pictures(tmp_path, "cat.png")
    with faulty_api() as api:
        service = MoobiusService()
        await local.start(service)
        api.failing[UPLOAD] = 400
        with pytest.raises(ApiError):
            await service.upload_file(cat)
        api.failing.clear()
        assert await service.upload_file(cat)
        with pytest.raises(FileNotFoundError):
            await service.upload_file(tmp_path / "nothing.png")
        assert runtime_of(service).cast._uploading == {}


async def test_figures_are_made_once_and_found_by_key(local: Local) -> None:
    """The same key gives the same figure, also when its description has changed since."""
    with faulty_api() as api:
        service = MoobiusService()
        await local.start(service)
        new = NewCharacter(key="wand", nickname="Wand", description="a wand")
        first = await service.ensure_characters(new)
        assert list(first) == ["wand"]
        assert first["wand"].nickname == "Wand"
        assert first["wand"].username == "wand"
        later = NewCharacter(key="wand", nickname="Staff")
        assert await service.ensure_characters(later) == first
        assert api.count(CREATE) == 1


async def test_figures_come_back_in_the_order_of_the_call(local: Local) -> None:
    """A mapping from key to figure, whatever was known before."""
    service = MoobiusService()
    await local.start(service)
    make = {key: NewCharacter(key=key, nickname=key.upper()) for key in "abc"}
    await service.ensure_characters(make["b"])
    figures = await service.ensure_characters(make["c"], make["b"], make["a"])
    assert [(key, figure.nickname) for key, figure in figures.items()] == [
        ("c", "C"),
        ("b", "B"),
        ("a", "A"),
    ]


async def test_a_key_given_twice_makes_one_figure(local: Local) -> None:
    """No second figure is left behind on the platform."""
    with faulty_api() as api:
        service = MoobiusService()
        await local.start(service)
        twin = NewCharacter(key="twin", nickname="Twin")
        assert len(await service.ensure_characters(twin, twin)) == 1
        assert api.count(CREATE) == 1


async def test_figures_are_found_at_the_platform_when_the_store_was_lost(local: Local) -> None:
    """Equal ones count: two alike are found as two, and no third is made."""

    class Service(MoobiusService):
        async def make(self) -> dict[str, Character]:
            return await self.ensure_characters(
                NewCharacter(key="left", nickname="Twin", username="twin"),
                NewCharacter(key="right", nickname="Twin", username="twin"),
                NewCharacter(key="other", nickname="Other"),
            )

    with faulty_api() as api:
        first = Service()
        await local.start(first)
        made = await first.make()
        assert api.count(CREATE) == 3
        await local.stop()
        second = Service()  # in memory: its store is empty
        await local.start(second)
        found = await second.make()
        assert api.count(CREATE) == 3
        ids = {figure.user_id for figure in made.values()}
        assert {figure.user_id for figure in found.values()} == ids
        assert found["other"] == made["other"]
        assert await second.make() == found


async def test_sixteen_figures_are_made_side_by_side(local: Local) -> None:
    """Forty take three rounds, not forty."""
    with faulty_api() as api:
        service = MoobiusService()
        await local.start(service)
        api.most = 0
        api.slow[CREATE] = 2
        start = trio.current_time()
        wanted = [NewCharacter(key=str(number), nickname=str(number)) for number in range(40)]
        figures = await service.ensure_characters(*wanted)
        assert len({figure.user_id for figure in figures.values()}) == 40
        assert trio.current_time() - start == 6
        assert api.most == 16


async def test_two_calls_at_once_make_no_figure_twice(local: Local) -> None:
    """The second call waits for what the first one makes."""
    with faulty_api() as api:
        service = MoobiusService()
        await local.start(service)
        api.slow[CREATE] = 2
        new = [NewCharacter(key=str(number), nickname=str(number)) for number in range(3)]
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(service.ensure_characters, *new)
        assert api.count(CREATE) == 3


async def test_one_error_when_figures_cannot_be_made(local: Local) -> None:
    """Many fail at once; the caller gets one ApiError, no group, and what was made is kept."""
    with faulty_api() as api:
        service = MoobiusService()
        await local.start(service)
        await service.ensure_characters(NewCharacter(key="0", nickname="0"))
        api.failing[CREATE] = 400
        new = [NewCharacter(key=str(number), nickname=str(number)) for number in range(20)]
        with pytest.raises(ApiError):
            await service.ensure_characters(*new)
        api.failing.clear()
        api.requests.clear()
        assert len(await service.ensure_characters(*new)) == 20
        assert api.count(CREATE) == 19


async def test_an_avatar_may_be_a_local_picture(local: Local, tmp_path: Path) -> None:
    """It is uploaded once for all figures that show it; the old helper makes one anew each time."""
    [cat] = pictures(tmp_path, "cat.png")
    with faulty_api() as api:
        service = MoobiusService()
        await local.start(service)
        figures = await service.ensure_characters(
            *(NewCharacter(key=key, nickname=key, avatar=cat) for key in "ab")
        )
        avatars = {figure.avatar for figure in figures.values()}
        again = [
            await service.upload_avatar_and_create_character(
                service.service_id, "cat", "Cat", cat, "a cat"
            )
            for _ in range(2)
        ]
        assert {figure.avatar for figure in again} == avatars
        assert len(avatars) == 1
        assert again[0].user_id != again[1].user_id
        assert uploads(api) == 1


async def test_side_by_side_keeps_the_order_and_the_first_error(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Results are in the order of the items; a failure cancels the rest and is raised alone."""
    ended: list[int] = []

    async def double(number: int) -> int:
        try:
            await trio.sleep(10 - number)
            if number == 9:
                raise LookupError("nine")
            return 2 * number
        finally:
            ended.append(number)

    assert await side_by_side(double, range(9), limit=3) == [0, 2, 4, 6, 8, 10, 12, 14, 16]
    start = trio.current_time()
    with pytest.raises(LookupError, match="nine"):
        await side_by_side(double, range(10))
    assert trio.current_time() - start == 1
    assert await side_by_side(double, []) == []


async def test_a_figure_of_another_kind_is_another_figure(local: Local) -> None:
    """On generation 0 the username tells two of one name and description apart."""
    service = MoobiusService()
    await local.start(service, protocol="0.0.1")
    dog = await service.http_api.create_service_user(
        service.service_id, "Dog", "Rex", "", "a figure"
    )
    wanted = NewCharacter(key="cat", username="Cat", nickname="Rex", description="a figure")
    cat = (await service.ensure_characters(wanted))["cat"]
    assert cat.user_id != dog.user_id
    same = NewCharacter(key="dog", username="Dog", nickname="Rex", description="a figure")
    assert (await service.ensure_characters(same))["dog"].user_id == dog.user_id


async def test_both_calls_are_made_at_once_and_the_first_failure_ends_them(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """What they give comes in their order; which of the two fails makes no difference."""

    async def slow(answer: str) -> str:
        await trio.sleep(5)
        return answer

    async def fails() -> str:
        await trio.sleep(1)
        raise ApiError("/path", "refused")

    assert await both(lambda: slow("one"), lambda: slow("two")) == ("one", "two")
    assert trio.current_time() == pytest.approx(5)
    for calls in ((fails, lambda: slow("")), (lambda: slow(""), fails)):
        began = trio.current_time()
        with pytest.raises(ApiError, match="refused"):
            await both(*calls)
        assert trio.current_time() == pytest.approx(began + 1)
