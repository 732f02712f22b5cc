"""What the calls for accounts do: signing up, a new password, a new profile, the end of one.

Pure functions like those of ``rules_http``. No trio, SQLite, clock, randomness or wire names. The
calls are those of docs/protocol/generation-1.md section 2.2 rows 2 to 8, 13, 14 and 18.
"""

from __future__ import annotations

import attrs

from moobius_trio.local.records import Account, Change, Figure, Forgotten
from moobius_trio.local.rules_http import (
    Refused,
    check_profile,
    guest_name,
    new_account,
    own_service,
)
from moobius_trio.local.world import World
from moobius_trio.types import Character, ServiceId, UserId, UserInfo

__all__ = (
    "NOT_CONFIRMED",
    "account_of",
    "changed_figure",
    "changed_person",
    "ending",
    "signed_up",
    "user_info",
)

NOT_CONFIRMED = (
    "the account {email} is not confirmed; give POST /auth/confirm_sign_up the code, which stands "
    "in the log of this platform instead of in a mail"
)


def account_of(world: World, email: str) -> Account:
    """The account of this e-mail; a guest of the page has none."""
    account = world.account(email)
    if account is None or guest_name(account):
        raise Refused(404, "there is no account of this username")
    return account


def signed_up(world: World, email: str, password_hash: str, user_id: UserId) -> Account:
    """A new account that waits for its code; the one there is, if that waits still."""
    known = world.account(email)
    if known is None:
        account = new_account(world, email, password_hash, user_id)
        return attrs.evolve(account, confirmed=False)
    if known.confirmed:
        raise Refused(409, f"the account {email} exists already")
    return attrs.evolve(known, password_hash=password_hash)


def user_info(world: World, user_id: UserId) -> UserInfo:
    """What the owner of an account is told of it."""
    account = world.accounts[user_id]
    person = account.person
    return UserInfo(
        user_id=user_id,
        name=person.nickname,
        avatar=person.avatar,
        description=person.description,
        email="" if guest_name(account) else account.login,
        email_verified=account.confirmed and not guest_name(account),
    )


def changed_person(
    world: World, user_id: UserId, name: str, avatar: str, description: str
) -> Account:
    """The account with another profile. Its login stays what it was."""
    account = world.accounts[user_id]
    return attrs.evolve(account, person=_changed(account.person, name, avatar, description))


def changed_figure(
    world: World,
    owner: UserId,
    service_id: ServiceId,
    figure_id: UserId,
    name: str,
    avatar: str,
    description: str,
) -> Figure:
    """A service's character with another profile."""
    own_service(world, owner, service_id)
    figure = world.figures.get(figure_id)
    if figure is None or figure.service_id != service_id:
        raise Refused(404, f"service {service_id} has no character {figure_id}")
    return attrs.evolve(figure, character=_changed(figure.character, name, avatar, description))


def _changed(character: Character, name: str, avatar: str, description: str) -> Character:
    return check_profile(
        attrs.evolve(character, nickname=name, avatar=avatar, description=description)
    )


def ending(world: World, account: Account) -> tuple[Change, ...]:
    """What the end of an account changes besides its leaving of bands: its services and their
    characters are no more, and the bands that these held are free."""
    changes: list[Change] = []
    services = [each for each in world.services.values() if each.owner == account.user_id]
    for service in services:
        for channel_id in world.bands_of(service.service_id):
            changes.append(attrs.evolve(world.bands[channel_id], service_id=None))
        changes.extend(
            Forgotten(record=figure)
            for figure in world.figures.values()
            if figure.service_id == service.service_id
        )
        changes.append(Forgotten(record=service))
    return (*changes, Forgotten(record=account))
