"""The conformance suite over the engines of this package."""

from __future__ import annotations

from moobius_trio.testing.storage_suite import StorageSuite


class TestMemory(StorageSuite):
    """`memory`."""

    engine = "memory"
    survives = False


class TestJson(StorageSuite):
    """`json`."""

    engine = "json"
    keeps_order = False


class TestSqlite(StorageSuite):
    """`sqlite`."""

    engine = "sqlite"
