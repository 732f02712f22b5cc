"""The game as people play it. `local` is a platform in memory, where time passes at once."""

from __future__ import annotations

import random
from pathlib import Path

from service import Game, Table

from moobius_trio.testing import SERVICE, Actor, Local, LocalBand


async def two(local: Local, game: Game) -> tuple[Table, Actor, Actor]:
    """Alice and Bob at the table; the number is 50."""
    band = await local.start(game)
    alice, bob = await band.join("Alice", "Bob")
    table = game.bands[band.channel_id]
    table.rounds["now"].secret = 50
    await table.flush()
    return table, alice, bob


async def test_a_guess_is_told_to_all(local: Local) -> None:
    """Too low, too high; the stage shows what is known, and each one's own last guess."""
    _, alice, bob = await two(local, Game())
    await alice.click("guess", {"number": "20"})
    await bob.say("70", to=SERVICE)
    assert alice.texts[-2:] == bob.texts[-2:] == ["Alice: 20 is too low.", "Bob: 70 is too high."]
    assert alice.stage is not None
    assert alice.stage.text == "Between 21 and 69 · guesses: 2\nYour last guess: 20"
    assert bob.stage is not None
    assert bob.stage.text == "Between 21 and 69 · guesses: 2\nYour last guess: 70"


async def test_whoever_finds_it_has_a_point(local: Local) -> None:
    """The list has the best first, the stage has the points, and a new round begins."""
    _, alice, bob = await two(local, Game())
    assert alice.names == ["The host", "Alice", "Bob"]
    await bob.click("guess", {"number": "50"})
    assert alice.last.text == "Bob found 50 with guess 1!"
    assert alice.names == bob.names == ["The host", "Bob", "Alice"]
    assert bob.stage is not None
    assert bob.stage.text == "Between 1 and 100 · guesses: 0\nPoints: Bob 1"
    await bob.leave()
    assert alice.stage is not None
    assert alice.stage.text == "Between 1 and 100 · guesses: 0"


async def test_only_numbers_are_guesses(local: Local) -> None:
    """The host answers whoever did not say one, and nobody else."""
    _, alice, bob = await two(local, Game())
    for word in ("soup", "0", "101", "²"):
        await alice.say(word, to=SERVICE)
        assert alice.last.text == "A number from 1 to 100, please."
    assert bob.texts == ["Press Guess, or say a number to the Service."]


async def test_the_host_has_no_patience(local: Local) -> None:
    """A hint after two minutes without a guess, the number after three."""
    _, alice, _ = await two(local, Game())
    await local.skip(hours=1)
    assert len(alice.texts) == 1  # nobody plays yet
    await alice.click("guess", {"number": "20"})
    await local.skip(minutes=3)
    assert alice.texts[-2:] == ["A hint: the number is even.", "Time is up: it was 50."]


async def test_points_outlive_a_restart(local: Local, tmp_path: Path) -> None:
    """What is in a container is there again; the round goes on."""
    band: LocalBand = await local.start(Game(random.Random(1)), state=tmp_path)
    [alice] = await band.join("Alice")
    await alice.click("pass")
    secret = alice.last.text
    await alice.click("guess", {"number": "1"})
    await local.stop()
    await local.start(Game(random.Random(2)), state=tmp_path)
    await alice.fetch()
    assert alice.stage is not None
    assert str(alice.stage.text).startswith("Between 2 and 100 · guesses: 1")
    await alice.click("pass")
    assert alice.last.text != secret
