"""Money that is moved between records while the process is killed: none comes, none goes."""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from moobius_trio.core.threads import run_in_thread
from moobius_trio.core.units import Unit, unit_of_work
from moobius_trio.database import ENGINES, ContainerSpec, MoobiusStorage, OpenEngine, open_stores
from moobius_trio.testing.forks import Fork, Mark, open_forks, say
from moobius_trio.testing.inline import run_inline
from moobius_trio.testing.kill_suite import marked
from moobius_trio.testing.redis_server import open_redis_server
from moobius_trio.types import ChannelId, JsonValue, RunSync, ServiceId

KILLS = int(os.environ.get("MOOBIUS_TRIO_KILLS", "100"))

pytestmark = pytest.mark.soak

ACCOUNTS = 8
MONEY = 1_000


@asynccontextmanager
async def open_bank(
    engine: str,
    folder: Path,
    settings: Mapping[str, JsonValue],
    run_sync: RunSync,
    engines: Mapping[str, OpenEngine] = ENGINES,
) -> AsyncIterator[MoobiusStorage]:
    """The storage of one band with a container of accounts."""
    problems: list[Exception] = []
    async with open_stores(
        [ContainerSpec(name="accounts", implementation=engine, settings=settings)],
        service_id=ServiceId("bank"),
        folder=folder,
        run_sync=run_sync,
        on_problem=problems.append,
        engines=engines,
    ) as stores:
        yield await stores.storage(ChannelId("band-1"), {})
    assert problems == []


# The process that is killed


def move_money(mark: Mark, engine: str, folder: str, settings: str, together: str) -> None:
    """Move money for ever, and tell each time how often it was done; with `together` empty, take
    it and give it one after the other."""

    async def main() -> None:
        engines = {engine: marked(ENGINES[engine], mark)}
        source = random.Random()
        async with open_bank(
            engine, Path(folder), json.loads(settings), run_in_thread, engines
        ) as storage:
            while True:
                async with unit_of_work(Unit(handler="bank")):
                    await (transfer if together else transfer_in_parts)(storage, source)
                say(str(storage.accounts["done"]))

    trio.run(main)


async def transfer(storage: MoobiusStorage, source: random.Random) -> None:
    """Take and give in one transaction."""
    payer, payee = source.sample(range(ACCOUNTS), 2)
    async with storage.transaction():
        storage.accounts[payer]["money"] -= 7
        await trio.lowlevel.checkpoint()
        storage.accounts[payee]["money"] += 7
        storage.accounts["done"] += 1


async def transfer_in_parts(storage: MoobiusStorage, source: random.Random) -> None:
    """Take, and when that is stored, give."""
    payer, payee = source.sample(range(ACCOUNTS), 2)
    storage.accounts[payer]["money"] -= 7
    await storage.flush()
    storage.accounts[payee]["money"] += 7
    storage.accounts["done"] += 1
    await storage.flush()


# The test's side


@attrs.define
class Found:
    """What came of it."""

    kills: int = 0
    inside: int = 0
    transfers: int = 0
    wrong: int = 0
    """After how many kills the sum was another one."""
    lost: int = 0
    """After how many kills a transfer was missing that had been told."""


async def read(engine: str, folder: Path, settings: Mapping[str, JsonValue]) -> tuple[int, int]:
    """The sum of all accounts and the number of transfers; a new bank is opened first."""
    async with open_bank(engine, folder, settings, run_inline) as storage:
        accounts: Any = storage.accounts
        if not accounts:
            accounts.update({number: {"money": MONEY} for number in range(ACCOUNTS)}, done=0)
            await storage.flush()
        return sum(accounts[number]["money"] for number in range(ACCOUNTS)), accounts["done"]


def kill_bankers(
    engine: str, folder: Path, settings: Mapping[str, JsonValue], kills: int, *, together: bool
) -> Found:
    """Kill the process again and again and count the money each time."""
    found, source = Found(), random.Random(0)
    total, _ = trio.run(read, engine, folder, settings)
    words = (engine, str(folder), json.dumps(dict(settings)), "yes" if together else "")
    imports = ["moobius_trio.database.redis_engine", "anyio._backends._trio"]
    with open_forks(move_money, imports=imports) as forks:
        for _ in range(kills):
            told = kill_some_time(forks.start(*words), forks.mark, source)
            found.kills += 1
            found.inside += bool(forks.mark)
            found.transfers += len(told)
            money, done = trio.run(read, engine, folder, settings)
            found.wrong += money != total
            found.lost += done < int(told[-1])
            total = money
    sys.stdout.write(f"{engine}: {found}\n")
    return found


def kill_some_time(fork: Fork, mark: Mark, source: random.Random) -> list[str]:
    """Half of them inside a commit; gives what it said."""
    told = [fork.read_line() for _ in range(source.randint(1, 4))]
    if source.random() < 0.5:
        mark.wait()
        time.sleep(source.uniform(0, 0.002))
    else:
        time.sleep(source.uniform(0, 0.01))
    return told + fork.kill()


@contextmanager
def place_of(engine: str) -> Iterator[Mapping[str, JsonValue]]:
    """The settings of the engine, with the server if it needs one."""
    if engine != "redis":
        yield {}
        return
    with open_redis_server() as server:
        yield server.settings


@pytest.mark.parametrize("engine", ["sqlite", "redis"])
def test_no_money_comes_or_goes(tmp_path: Path, engine: str) -> None:
    """What a transaction changes is stored whole or not at all, whenever the process is killed.

    (F49)
    """
    with place_of(engine) as settings:
        found = kill_bankers(engine, tmp_path, settings, KILLS, together=True)
    assert (found.wrong, found.lost) == (0, 0), found
    assert found.inside >= 0.3 * KILLS, found


def test_without_a_transaction_money_goes(tmp_path: Path) -> None:
    """The same without a transaction is found out."""
    found = kill_bankers("sqlite", tmp_path, {}, min(KILLS, 50), together=False)
    assert found.wrong > 0, found
