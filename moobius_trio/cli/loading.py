"""From what a person types to a service, or a user: a file, a folder, or ``module:Class``.

Reads and runs the user's own code and nothing else; says in one line why it cannot.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from moobius_trio.core.service import MoobiusService
from moobius_trio.errors import MoobiusError, UsageError
from moobius_trio.user import MoobiusUser

__all__ = ("load_program", "load_service")

Service = MoobiusService[Any]
FOLDER_FILES = ("service.py", "main.py")
FORMS = "Give a Python file, a project folder, FILE.py:Class or module:Class."


def load_service(target: str) -> Service:
    """The service that a path or ``module:Class`` names, constructed without arguments.

    To be called inside trio, so that a script without a ``__main__`` guard is found out.

    Raises:
        UsageError: there is no such file, no service in it, several, or it cannot be made.
    """
    service: Service = _load(target, (MoobiusService,))
    return service


def load_program(target: str) -> Service | MoobiusUser:
    """The service, or the `MoobiusUser`, that is named; as `load_service`.

    Raises:
        UsageError: as `load_service`; a file with one of each has several.
    """
    program: Service | MoobiusUser = _load(target, (MoobiusService, MoobiusUser))
    return program


def _load(target: str, kinds: tuple[type, ...]) -> Any:
    place, _, wanted = target.rpartition(":") if _names_a_class(target) else (target, "", "")
    path = Path(place)
    if path.is_dir():
        path = _file_of(path)
    if path.suffix == ".py":
        if not path.is_file():
            raise UsageError(f"{path}: there is no such file. Check the path.")
        module = _import_file(path)
    elif path.exists():
        raise UsageError(f"{path}: this is no Python file. {FORMS}")
    elif wanted and _is_module_name(place):
        module = _import_module(place)
    else:
        raise UsageError(f"{target}: there is no such file or folder. {FORMS}")
    where = f"{path}:{wanted}" if wanted else str(path)  # the file, also where a folder was named
    return _make(_choose(module, wanted, where, kinds), where)


def _names_a_class(target: str) -> bool:
    return ":" in target and target.rpartition(":")[2].isidentifier()


def _is_module_name(place: str) -> bool:
    return all(part.isidentifier() for part in place.split("."))


def _file_of(folder: Path) -> Path:
    for name in FOLDER_FILES:
        if (folder / name).is_file():
            return folder / name
    raise UsageError(
        f"{folder}: the folder has neither {' nor '.join(FOLDER_FILES)}. Name the file itself."
    )


def _import_file(path: Path) -> ModuleType:
    """Import a file as a module of its own name, with its folder on the path, as python does."""
    path = path.resolve()
    name = path.stem if path.stem.isidentifier() else "service"
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path}: this is no Python file. {FORMS}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader = spec.loader
    _run_import(lambda: loader.exec_module(module), str(path))
    return module


def _import_module(name: str) -> ModuleType:
    if "" not in sys.path:
        sys.path.insert(0, "")
    found: list[ModuleType] = []
    _run_import(lambda: found.append(importlib.import_module(name)), name)
    return found[0]


def _run_import(load: Callable[[], object], where: str) -> None:
    try:
        load()
    except MoobiusError:
        raise
    except SyntaxError as exc:
        if exc.filename is None or exc.lineno is None:  # no line is at fault: a null byte, say
            raise UsageError(
                f"{exc.filename or where}: this is not valid Python ({exc.msg}). Correct that file."
            ) from None
        raise UsageError(
            f"{exc.filename}, line {exc.lineno}: this is not valid Python ({exc.msg}). "
            "Correct that line."
        ) from None
    except RuntimeError as exc:
        if "from inside a run()" not in str(exc):
            raise
        raise UsageError(
            f"{where}: it starts the service while it is imported. "
            'Put that call under `if __name__ == "__main__":`.'
        ) from None
    except ImportError as exc:
        raise UsageError(_import_problem(exc, where)) from None


def _import_problem(exc: ImportError, where: str) -> str:
    """What an import that failed means to whoever wrote it, with the line if that is known."""
    if isinstance(exc, ModuleNotFoundError) and exc.name == where:
        return f"{where}: there is no such module here, and none is installed. {FORMS}"
    lines = [
        frame
        for frame in traceback.extract_tb(exc.__traceback__)
        if not frame.filename.startswith("<frozen")
    ]
    if lines[-1].filename != __file__:
        where = f"{lines[-1].filename}, line {lines[-1].lineno}"
    if isinstance(exc, ModuleNotFoundError):
        return (
            f"{where}: it imports {exc.name!r}, which is not installed. "
            "Install that package, or correct the name."
        )
    if exc.name == "moobius_trio":
        return f"{where}: {exc.msg}. docs/moving.md says what the names of other SDKs are here."
    return f"{where}: {exc.msg}. Correct that import."


def _choose(module: ModuleType, wanted: str, where: str, kinds: tuple[type, ...]) -> type:
    found = [cls for kind in kinds for cls in _leaves(module, kind)]
    if wanted:
        cls = getattr(module, wanted, None)
        if not (isinstance(cls, type) and issubclass(cls, kinds)):
            _refuse_user(wanted if cls in _leaves(module, MoobiusUser) else "", where)
            there = ", ".join(one.__name__ for one in found) or "no service"
            raise UsageError(
                f"{where}: there is no subclass of {_names(kinds)} called {wanted}. "
                f"That module has {there}."
            )
        return cls
    if not found:
        _refuse_user(next((one.__name__ for one in _leaves(module, MoobiusUser)), ""), where)
        raise UsageError(
            f"{where}: no subclass of {_names(kinds)} is defined there. Name the file that has it."
        )
    if len(found) > 1:
        names = ", ".join(cls.__name__ for cls in found)
        words = "services" if issubclass(found[-1], MoobiusService) else "services and users"
        raise UsageError(
            f"{where}: there are several {words} ({names}). "
            f"Choose one, such as {where}:{found[0].__name__}."
        )
    return found[0]


def _names(kinds: tuple[type, ...]) -> str:
    return " or ".join(kind.__name__ for kind in kinds)


def _refuse_user(name: str, where: str) -> None:
    if name:
        raise UsageError(
            f"{where}: {name} is a MoobiusUser, and this command is for services. "
            "`moobius-trio run` runs it, on a platform of `moobius-trio dev` or `local` too."
        )


def _leaves(module: ModuleType, kind: type) -> list[type]:
    """The classes of this kind in a module that nothing else there is made from; imported ones
    count last."""
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, kind) and value is not kind
    ]
    own = [cls for cls in found if cls.__module__ == module.__name__] or found
    return [cls for cls in own if not any(cls in other.__mro__[1:] for other in own)]


def _make(cls: type, where: str) -> object:
    try:
        service = cls()
    except MoobiusError:
        raise
    except TypeError as exc:
        raise UsageError(
            f"{where}: {cls.__name__}() could not be made without arguments ({exc}). "
            "Give its parameters defaults."
        ) from exc
    if not hasattr(service, "_environment"):
        raise UsageError(
            f"{where}: {cls.__name__}.__init__ does not call super().__init__(). "
            "Call it there first."
        )
    return service
