"""The faults that the tests know by number, and which tests those are.

    python tools/faults.py              one line for each fault, with its tests
    python tools/faults.py --check      fails if a fault has neither a test nor a reason

A test names its faults in its docstring: ``(F12)``, ``(F5, S1)``, ``(F4-F6)``; F for what goes
wrong, S for what somebody means to go wrong. Nothing is run here.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

__all__ = ("main",)

TESTS = Path(__file__).resolve().parent.parent / "tests"

FAULTS = {
    "F1": "a connection is closed in good order, every two hours",
    "F2": "a reset in mid-traffic",
    "F3": "the platform cannot be reached, for seconds or hours",
    "F4": "two tasks connect again at once",
    "F5": "a black hole, in either direction",
    "F6": "the peer stops reading",
    "F7": "slow, sliced and joined bytes",
    "F8": "an idle connection is cut",
    "F9": "a message that is too large",
    "F10": "a storm of connections",
    "F11": "names, certificates, proxies and statuses of the handshake",
    "F12": "a send is cancelled",
    "F13": "corrupt bytes come in",
    "F14": "frames before the login",
    "F15": "a login that is refused for good",
    "F16": "a frame that is refused",
    "F17": "receipts that are late, lost, doubled or foreign",
    "F18": "a platform that does not keep the order",
    "F19": "events that are missed while there is no connection",
    "F20": "events that come twice",
    "F21": "frames of the gateway, without a type",
    "F22": "unknown and malformed payloads",
    "F23": "tokens that expire and cannot be had",
    "F24": "HTTP that fails, hangs or asks for patience",
    "F25": "HTTP that answers nonsense",
    "F26": "what must not be done twice",
    "F27": "a second instance of a service",
    "F28": "a band that somebody else holds",
    "F29": "a handler that raises",
    "F30": "a handler that never ends",
    "F31": "a handler that blocks the loop",
    "F32": "events of one band at once, or out of order",
    "F33": "a handler that sends without end",
    "F34": "a flood of events",
    "F35": "handlers that stall while much comes in",
    "F36": "a handler that swallows its cancellation or shields itself",
    "F37": "a start or a spell that fails",
    "F38": "a service that answers itself",
    "F39": "killed while it writes",
    "F40": "power that goes",
    "F41": "a disk that is full",
    "F42": "a disk that cannot sync",
    "F43": "a corrupt file",
    "F44": "values that cannot be stored, or come back as others",
    "F45": "changes inside values",
    "F46": "hostile and colliding keys",
    "F47": "two processes on one store",
    "F48": "a Redis server in trouble",
    "F49": "killed between two records that belong together",
    "F50": "a message says what the store has forgotten",
    "F51": "clearing, and engines that do not exist",
    "F52": "signals",
    "F53": "killed while it starts",
    "F54": "a service that ends while others talk to it",
    "F55": "leaks over weeks",
    "F56": "logs that fail",
    "F57": "a wall clock that jumps",
    "F58": "a machine that slept",
    "F59": "jobs that are late, too long or fail",
    "F60": "JSON that is too deep, too large or none",
    "F61": "compressed bombs",
    "F62": "a path in a message",
    "F63": "stored data that wants to be run",
    "F64": "secrets in logs",
    "F65": "hostile spells",
    "S1": "secrets in logs, errors and files",
    "S2": "secrets in settings and arguments",
    "S3": "certificates and unencrypted addresses",
    "S4": "proxies, netrc and redirects",
    "S5": "paths made of keys",
    "S6": "JSON without bounds",
    "S7": "compression",
    "S8": "files of this machine, named by a message",
    "S9": "stored data that becomes objects",
    "S10": "addresses of others that are fetched",
    "S11": "scripts in what the page shows",
    "S12": "other pages and other names of this machine",
    "S13": "uploads",
    "S14": "what is said to a spell socket",
    "S15": "who may use a spell socket",
    "S16": "lines of the log made by others",
    "S17": "what users can make a service keep",
    "S18": "tokens of the local platform",
    "S19": "who may read what is written",
    "S20": "versions of dependencies",
    "S21": "known holes of dependencies",
    "S22": "an import that does something",
    "S23": "what a release holds",
    "S24": "what an error page shows",
    "S25": "the local platform on a network",
    "S26": "what is trusted",
}

WITHOUT = {
    "F38": "no guard against it: the platform is not known to tell a service what it said itself",
    "S10": "the package fetches nothing whose address stands in a message",
    "S20": "a library has lower bounds; whoever deploys pins",
    "S21": "needs a list of known holes, which the tests must not depend on",
    "S23": "`nox -s build` looks into the wheel; that two builds are equal is not tested",
    "S26": "a matter of documentation: handlers are trusted, what users send is not",
}
"""Why a fault has no test."""

NAMED = re.compile(r"\(((?:[FS]\d+(?:-[FS]\d+)?(?:, )?)+)\)")


def numbers(text: str) -> Iterator[str]:
    """The faults that a docstring names."""
    for found in NAMED.finditer(text):
        for part in found[1].split(", "):
            first, _, last = part.partition("-")
            for number in range(int(first[1:]), int((last or first)[1:]) + 1):
                yield f"{first[0]}{number}"


def named() -> dict[str, list[str]]:
    """The tests that name each fault; a module's docstring speaks for the module."""
    found: dict[str, list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in (tree, *ast.walk(tree)):
            if not isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            where = path.relative_to(TESTS.parent).as_posix()
            if not isinstance(node, ast.Module):
                where += f"::{node.name}"
            for number in numbers(" ".join((ast.get_docstring(node) or "").split())):
                if where not in found.setdefault(number, []):
                    found[number].append(where)
    return found


def wrong(tests: Mapping[str, list[str]]) -> list[str]:
    """What does not fit: a line each."""
    return [
        *(
            f"{one} is no fault: {', '.join(where)}"
            for one, where in tests.items()
            if one not in FAULTS
        ),
        *(
            f"{one} has neither a test nor a reason"
            for one in FAULTS
            if one not in {**tests, **WITHOUT}
        ),
        *(f"{one} has a test, and a reason for having none" for one in WITHOUT if one in tests),
    ]


def main(check: bool) -> int:
    """Print the list, or what is wrong with it; gives the exit code."""
    tests = named()
    if check:
        problems = wrong(tests)
        print("\n".join(problems) or f"{len(FAULTS)} faults, {len(WITHOUT)} without a test")
        return 1 if problems else 0
    for number, title in FAULTS.items():
        print(f"{number:4} {title}")
        for where in tests.get(number) or [f"no test: {WITHOUT.get(number, 'no reason')}"]:
            print(f"       {where}")
    return 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
