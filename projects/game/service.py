"""Guess the number: a game for everybody in the band, with a host who thinks of the numbers.

Everybody guesses one after the other, whoever likes to. Whoever finds the number has a point, and
the next round begins. While nobody guesses, the host gives hints, and in the end the number away.
"""

from __future__ import annotations

import random

import attrs

from moobius_trio import (
    Action,
    Band,
    Character,
    Feature,
    FeatureArgument,
    FeatureCall,
    MessageUp,
    MoobiusService,
    NewCharacter,
    Playground,
    UserId,
    container,
    every,
    stored,
)

LOWEST, HIGHEST = 1, 100
PATIENCE = 3
"""Minutes without a guess after which the host gives the number away."""

GUESS = Feature(
    feature_id="guess",
    button_text="Guess",
    arguments=[FeatureArgument(name="number", placeholder=f"{LOWEST} to {HIGHEST}")],
)
PASS = Feature(feature_id="pass", button_text="Give up")


@stored
@attrs.define
class Round:
    """One number and what is known of it; a change made in a handler is saved by itself."""

    secret: int = 0
    low: int = LOWEST
    high: int = HIGHEST
    guesses: int = 0
    quiet: int = 0
    """Minutes since somebody guessed."""


@stored
@attrs.define
class Player:
    """What one person has in one band; kept also while they are away."""

    points: int = 0
    last: int = 0
    """The last guess in this round; 0: none."""


class Table(Band):
    """One band: its round and its players."""

    rounds = container(Round, key=str, factory=Round)
    players = container(Player, factory=Player)


class Game(MoobiusService[Table]):
    """The game, in every band for itself."""

    host: Character

    def __init__(self, chance: random.Random | None = None) -> None:
        super().__init__()
        self.chance = chance or random.Random()

    async def on_start(self) -> None:
        """Make the host, who is found again after a restart."""
        figures = await self.ensure_characters(NewCharacter(key="host", nickname="The host"))
        self.host = figures["host"]

    # What people do

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        """A number said to the Service is a guess; all else is passed on."""
        if not msg_up.to_service:
            await self.send(self.msg_up_to_msg_down(msg_up))
        elif (msg_up.text or "").strip().lower() == "rules":
            await self.tell(msg_up, f"I think of a number from {LOWEST} to {HIGHEST}. Find it!")
        else:
            await self.guess(msg_up, msg_up.text or "")

    async def on_feature_call(self, feature_call: FeatureCall) -> None:
        """One of the two keys was pressed."""
        band = self.bands[feature_call.channel_id]
        match feature_call.feature_id, feature_call.values:
            case "guess", {"number": number}:
                await self.guess(feature_call, str(number))
            case "pass", _:
                name = band.profile(feature_call.sender).nickname
                await self.give_away(band, f"{name} gives up")

    async def on_join_channel(self, action: Action) -> None:
        """A newcomer is on everybody's list, and hears how to play."""
        band = self.bands[action.channel_id]
        await self.show_players(band, *band.members)
        await self.show_stage(band, *band.members)
        await self.tell(action, "Press Guess, or say a number to the Service.")

    async def on_leave_channel(self, action: Action) -> None:
        """Who leaves keeps their points."""
        band = self.bands[action.channel_id]
        await self.show_players(band, *band.members)
        await self.show_stage(band, *band.members)

    # What a screen asks for when it opens

    async def on_fetch_user_list(self, action: Action) -> None:
        """The list of people, the best first."""
        await self.show_players(self.bands[action.channel_id], action.sender)

    async def on_fetch_features(self, action: Action) -> None:
        """The two keys."""
        await self.send_update_features(action.channel_id, [GUESS, PASS], action.sender)

    async def on_fetch_playground(self, action: Action) -> None:
        """How the round stands."""
        await self.show_stage(self.bands[action.channel_id], action.sender)

    # Time

    @every(minutes=1)
    async def nudge(self, band: Table) -> None:
        """While nobody guesses, give a hint, and after a while the number away."""
        current = band.rounds["now"]
        if not current.guesses or not band.members:
            return
        current.quiet += 1
        if current.quiet >= PATIENCE:
            await self.give_away(band, "Time is up")
        elif current.quiet > 1:
            kind = "even" if current.secret % 2 == 0 else "odd"
            await self.say(band, f"A hint: the number is {kind}.")

    # The game

    async def guess(self, event: MessageUp | FeatureCall, word: str) -> None:
        """Take somebody's guess, and tell everybody what is known now."""
        band = self.bands[event.channel_id]
        if not word.strip().isdecimal() or not LOWEST <= int(word) <= HIGHEST:
            await self.tell(event, f"A number from {LOWEST} to {HIGHEST}, please.")
            return
        number, current, player = int(word), self.round(band), band.players[event.sender]
        current.guesses += 1
        current.quiet = 0
        player.last = number
        name = band.profile(event.sender).nickname
        if number == current.secret:
            player.points += 1
            await self.say(band, f"{name} found {number} with guess {current.guesses}!")
            await self.begin(band)
        elif number < current.secret:
            current.low = max(current.low, number + 1)
            await self.say(band, f"{name}: {number} is too low.")
        else:
            current.high = min(current.high, number - 1)
            await self.say(band, f"{name}: {number} is too high.")
        await self.show_stage(band, *band.members)

    def round(self, band: Table) -> Round:
        """The round that is played, with a number in it."""
        current = band.rounds["now"]
        if not current.secret:
            current.secret = self.chance.randint(LOWEST, HIGHEST)
        return current

    async def begin(self, band: Table) -> None:
        """Think of a new number."""
        band.rounds["now"] = Round()
        for player in band.players.values():
            player.last = 0
        await self.show_players(band, *band.members)

    async def give_away(self, band: Table, why: str) -> None:
        """End the round with no winner."""
        await self.say(band, f"{why}: it was {self.round(band).secret}.")
        await self.begin(band)
        await self.show_stage(band, *band.members)

    # What people see

    async def show_players(self, band: Table, *users: UserId) -> None:
        """The host, then everybody who is there, the best first."""
        await band.send_update_user_list([self.host, *self.best_first(band)], users)

    async def show_stage(self, band: Table, *users: UserId) -> None:
        """What is known of the number, who has points, and each one's own last guess."""
        current = self.round(band)
        known = f"Between {current.low} and {current.high} · guesses: {current.guesses}"
        winners = [one for one in self.best_first(band) if self.points(band, one)]
        if winners:
            points = ", ".join(f"{one.nickname} {self.points(band, one)}" for one in winners)
            known += f"\nPoints: {points}"
        for user in users:
            last = band.players[user].last
            own = f"\nYour last guess: {last}" if last else ""
            await band.send_update_playground(Playground(text=known + own), user)

    def points(self, band: Table, one: Character) -> int:
        """What somebody has won in this band."""
        return band.players[one.user_id].points

    def best_first(self, band: Table) -> list[Character]:
        """Everybody who is there."""
        return sorted(band.members.values(), key=lambda one: -self.points(band, one))

    async def say(self, band: Table, text: str) -> None:
        """The host speaks to everybody."""
        await band.create_message(text, band.members, sender=self.host)

    async def tell(self, event: MessageUp | FeatureCall | Action, text: str) -> None:
        """The host speaks to one."""
        await self.reply(event, text, sender=self.host)
