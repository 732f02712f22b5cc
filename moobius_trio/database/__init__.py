"""Storage: containers in memory, kept by an engine (docs/architecture.md section 6).

No wire names, no sockets, and nothing of lanes or handlers here.
"""

from moobius_trio.database.cached_dict import CachedDict
from moobius_trio.database.container import Container, container, declared_containers
from moobius_trio.database.engine import (
    Atomicity,
    Change,
    Engine,
    EngineSite,
    Level,
    Loaded,
    NotAllStored,
    OpenEngine,
    Owned,
    Owner,
    Place,
    StoreBroken,
    find_engine,
)
from moobius_trio.database.storage import MoobiusStorage
from moobius_trio.database.store import StoreStatistics
from moobius_trio.database.stored import stored
from moobius_trio.database.stores import ENGINES, ContainerSpec, Stores, StrayChange, open_stores
from moobius_trio.database.tickets import Ticket
from moobius_trio.database.unit import StorageUnit, current_unit

__all__ = (
    "ENGINES",
    "Atomicity",
    "CachedDict",
    "Change",
    "Container",
    "ContainerSpec",
    "Engine",
    "EngineSite",
    "Level",
    "Loaded",
    "MoobiusStorage",
    "NotAllStored",
    "OpenEngine",
    "Owned",
    "Owner",
    "Place",
    "StorageUnit",
    "StoreBroken",
    "StoreStatistics",
    "Stores",
    "StrayChange",
    "Ticket",
    "container",
    "current_unit",
    "declared_containers",
    "find_engine",
    "open_stores",
    "stored",
)
