"""What is written into a user's service.json, and that nothing else of it changes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moobius_trio.config import (
    check_service_id_writable,
    clear_pending,
    pending_path,
    read_pending,
    write_pending,
    write_service_id,
)
from moobius_trio.errors import ConfigError
from moobius_trio.types import ServiceId

NEW = ServiceId("1f0c-new")

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just('a"}{,:\\b'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
blanks = st.text(alphabet=" \t\n\r", max_size=4)


@st.composite
def objects(draw: st.DrawFn) -> tuple[str, dict[str, object]]:
    """A JSON object as somebody might have typed it, and its value."""
    value: dict[str, object] = dict(
        draw(st.dictionaries(st.text(max_size=6), json_values, max_size=5))
    )
    if draw(st.booleans()):
        value["service_id"] = draw(st.text(max_size=8) | st.none())
        value = dict(draw(st.permutations(sorted(value.items()))))
    members = [
        draw(blanks)
        + json.dumps(key, ensure_ascii=draw(st.booleans()))
        + draw(blanks)
        + ":"
        + draw(blanks)
        + json.dumps(entry, ensure_ascii=draw(st.booleans()), indent=draw(st.none() | st.just(2)))
        + draw(blanks)
        for key, entry in value.items()
    ]
    body = ",".join(members) if members else draw(blanks)
    return draw(blanks) + "{" + body + "}" + draw(blanks), value


@given(document=objects(), marked=st.booleans(), service_id=st.text(min_size=1, max_size=10))
def test_only_the_service_id_changes(
    tmp_path_factory: pytest.TempPathFactory,
    document: tuple[str, dict[str, object]],
    marked: bool,
    service_id: str,
) -> None:
    """Every byte before and after the id stays, however the file is laid out (F53, S2)."""
    text, value = document
    head = b"\xef\xbb\xbf" if marked else b""
    before = head + text.encode()
    path = tmp_path_factory.getbasetemp() / "property.json"
    path.write_bytes(before)
    write_service_id(path, ServiceId(service_id))
    after = path.read_bytes()

    assert json.loads(after.decode("utf-8-sig")) == {**value, "service_id": service_id}
    new = json.dumps(service_id).encode()
    if "service_id" in value:
        old = {
            json.dumps(value["service_id"], ensure_ascii=flag).encode() for flag in (True, False)
        }
        assert any(
            before == after[:at] + text_before + after[at + len(new) :]
            for at in _places(after, new)
            for text_before in old
        )
    else:
        brace = before.index(b"{") + 1
        length = len(after) - len(before)
        assert before == after[:brace] + after[brace + length :]
        inserted = after[brace : brace + length]
        assert inserted.strip(b" \t\r\n,") == b'"service_id": ' + new
        lines = after.decode("utf-8-sig").split("\n")
        assert [line for line in lines if line.strip().startswith('"service_id": ')]


def _places(content: bytes, part: bytes) -> Iterator[int]:
    at = content.find(part)
    while at >= 0:
        yield at
        at = content.find(part, at + 1)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"service_id": ""}', '{"service_id": "1f0c-new"}'),
        (
            '{\n    "email": "a",\n    "service_id": "old",\n    "channels": [ ]\n}\n',
            '{\n    "email": "a",\n    "service_id": "1f0c-new",\n    "channels": [ ]\n}\n',
        ),
        ('{"service_id": null}', '{"service_id": "1f0c-new"}'),
        ('{"service\\u005fid": ""}', '{"service\\u005fid": "1f0c-new"}'),
        (
            '{"inner": {"service_id": "no"}, "service_id": "yes"}',
            '{"inner": {"service_id": "no"}, "service_id": "1f0c-new"}',
        ),
        (
            '{"text": "\\"service_id\\": \\"no\\"", "service_id": ""}',
            '{"text": "\\"service_id\\": \\"no\\"", "service_id": "1f0c-new"}',
        ),
        ('{\n  "email": "a"\n}', '{\n  "service_id": "1f0c-new",\n  "email": "a"\n}'),
        (
            '{\r\n\t"email": "a"\r\n}',
            '{\r\n\t"service_id": "1f0c-new",\r\n\t"email": "a"\r\n}',
        ),
        ('{"email": "a"}', '{\n    "service_id": "1f0c-new",\n"email": "a"}'),
        ("{}", '{\n    "service_id": "1f0c-new"\n}'),
        ("{\n}", '{\n    "service_id": "1f0c-new"\n}'),
    ],
)
def test_the_id_is_put_where_it_belongs(tmp_path: Path, before: str, after: str) -> None:
    """Between the quotes; a missing key becomes one line after the opening brace."""
    path = tmp_path / "service.json"
    path.write_bytes(before.encode())
    write_service_id(path, NEW)
    assert path.read_bytes().decode() == after


def test_mode_and_links_stay_and_nothing_is_left_behind(tmp_path: Path) -> None:
    """The file behind a symbolic link is replaced, not the link."""
    real = tmp_path / "real"
    real.mkdir()
    target = real / "mine.json"
    target.write_text('{"service_id": ""}', encoding="utf-8")
    target.chmod(0o640)
    link = tmp_path / "service.json"
    link.symlink_to(Path("real") / "mine.json")
    check_service_id_writable(link)
    write_service_id(link, NEW)
    assert link.is_symlink()
    assert link.readlink() == Path("real/mine.json")
    assert json.loads(target.read_bytes()) == {"service_id": NEW}
    assert target.stat().st_mode & 0o7777 == 0o640
    assert sorted(entry.name for entry in tmp_path.rglob("*")) == [
        "mine.json",
        "real",
        "service.json",
    ]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")
def test_the_owner_stays(tmp_path: Path) -> None:
    """A service run by root leaves the file to the user whose it is."""
    path = tmp_path / "service.json"
    path.write_text("{}", encoding="utf-8")
    os.chown(path, 1234, 2345)
    write_service_id(path, NEW)
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 2345)


def test_a_failed_replacement_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost, and the error tells the id that was to be written (F53)."""
    path = tmp_path / "service.json"
    path.write_text('{"service_id": ""}', encoding="utf-8")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError) as caught:
        write_service_id(path, NEW)
    assert "No space left on device" in caught.value.problem
    assert '"service_id": "1f0c-new"' in caught.value.remedy
    assert path.read_text(encoding="utf-8") == '{"service_id": ""}'
    assert [entry.name for entry in tmp_path.iterdir()] == ["service.json"]


def test_the_check_before_a_creation_changes_nothing(tmp_path: Path) -> None:
    """It goes the whole way but for the replacement."""
    path = tmp_path / "service.json"
    path.write_text('{"service_id": ""}', encoding="utf-8")
    before = path.stat()
    check_service_id_writable(path)
    after = path.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert [entry.name for entry in tmp_path.iterdir()] == ["service.json"]


def test_the_check_finds_what_would_stand_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is gone, one that is no object, and a folder that takes no new file."""
    path = tmp_path / "service.json"
    with pytest.raises(ConfigError, match="No such file"):
        check_service_id_writable(path)
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(ConfigError, match="must be an object"):
        check_service_id_writable(path)
    path.write_text("{}", encoding="utf-8")

    def refuse(*args: object, **kwargs: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ConfigError) as caught:
        check_service_id_writable(path)
    assert "Permission denied" in caught.value.problem
    assert str(tmp_path) in caught.value.remedy


def test_known_ids_wait_in_the_pending_file(tmp_path: Path) -> None:
    """They come back as written, and clearing twice is harmless."""
    path = tmp_path / "service.json"
    assert read_pending(path) is None
    write_pending(path, [ServiceId("a"), ServiceId('b"')])
    assert pending_path(path) == tmp_path / "service.json.pending"
    assert pending_path(path).stat().st_mode & 0o077 == 0
    assert read_pending(path) == ("a", 'b"')
    write_pending(path, [])
    assert read_pending(path) == ()
    clear_pending(path)
    clear_pending(path)
    assert read_pending(path) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["", "[]", '{"known": "a"}', '{"known": [1]}'])
def test_a_pending_file_of_other_content_is_refused(tmp_path: Path, content: str) -> None:
    """It is not guessed at, since a guess could create a second service."""
    path = tmp_path / "service.json"
    pending_path(path).write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_pending(path)
    assert caught.value.where == str(pending_path(path))


def test_a_copy_left_by_a_killed_process_is_removed_by_the_next_write(tmp_path: Path) -> None:
    """What a kill leaves beside the file has the password in it, so it does not stay."""
    path = tmp_path / "service.json"
    path.write_text('{"password": "canary", "service_id": ""}', encoding="utf-8")
    left = tmp_path / ".service.json.abc.tmp"
    left.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    write_service_id(path, ServiceId("new"))
    assert [file.name for file in tmp_path.iterdir()] == ["service.json"]
