"""What the user writes down: service.json, db.json and three environment variables.

The only package that reads configuration files and the environment; it writes nothing but
``service_id``, the engine in db.json of records that are moved, and what `moved` makes of the
files of SDK 1.x. No logging set-up, no network
and no decision about what a setting leads to. docs/architecture.md section 10 has the rules.
"""

from moobius_trio.config.engines import check_engines_writable, write_engines
from moobius_trio.config.files import find_database_config, find_service_config, find_user_config
from moobius_trio.config.load import (
    load_database_settings,
    load_run_options,
    load_service_id,
    load_settings,
    load_user_settings,
)
from moobius_trio.config.settings import SETTINGS_TABLE, Setting, Settings, is_loopback
from moobius_trio.config.writeback import (
    check_service_id_writable,
    clear_pending,
    make_id_file,
    pending_path,
    read_pending,
    write_pending,
    write_service_id,
)

__all__ = (
    "SETTINGS_TABLE",
    "Setting",
    "Settings",
    "check_engines_writable",
    "check_service_id_writable",
    "clear_pending",
    "find_database_config",
    "find_service_config",
    "find_user_config",
    "is_loopback",
    "load_database_settings",
    "load_run_options",
    "load_service_id",
    "load_settings",
    "load_user_settings",
    "make_id_file",
    "pending_path",
    "read_pending",
    "write_engines",
    "write_pending",
    "write_service_id",
)
