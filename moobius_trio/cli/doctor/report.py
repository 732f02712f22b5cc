"""All that is looked at, one after the other, and how it is told."""

from __future__ import annotations

import json
import logging
import os
import ssl
from collections.abc import Mapping, Sequence
from itertools import groupby

import attrs
import structlog
import trio

from moobius_trio.cli.doctor.findings import Finding, note
from moobius_trio.cli.doctor.machine import port_findings, runtime_findings, version_findings
from moobius_trio.cli.doctor.project import (
    Project,
    config_error,
    config_findings,
    folder_findings,
    read_project,
    store_findings,
)
from moobius_trio.cli.doctor.reaching import (
    answers_as_platform,
    http_finding,
    sign_in_finding,
    socket_finding,
)
from moobius_trio.cli.output import counted, tell
from moobius_trio.core.threads import run_in_thread
from moobius_trio.errors import ConfigError
from moobius_trio.logs import escape, redact
from moobius_trio.network.tls import trusting

__all__ = ("examine", "run_doctor")

PORT = 8765
"""Where `dev` and `local` listen if nothing else is said."""

_MARKS = {"ok": "ok   ", "note": "note ", "wrong": "WRONG"}


async def run_doctor(path: str, *, sign_in: bool, as_json: bool) -> None:
    """Look at everything and tell.

    Raises:
        UsageError: there is no such path.
        SystemExit: something stands in the way.
    """
    # What readers of the config would warn of is a finding here.
    quiet = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(wrapper_class=quiet)
    findings = [_safe(each) for each in await examine(path, os.environ, sign_in=sign_in)]
    in_the_way = [each for each in findings if each.state == "wrong"]
    if as_json:
        told = {"ok": not in_the_way, "findings": [attrs.asdict(each) for each in findings]}
        tell([json.dumps(told, ensure_ascii=False)])
    else:
        tell(_lines(findings))
    if in_the_way:
        raise SystemExit(1)


async def examine(
    path: str, environ: Mapping[str, str], *, sign_in: bool = False, port: int = PORT
) -> list[Finding]:
    """Everything that can be known of a project and of this machine.

    Args:
        sign_in: send the password to the platform that service.json names.

    Raises:
        UsageError: there is no such path.
    """
    project, config = read_project(path, environ)
    tls, trust = await _trusted(project)
    platform_there = await answers_as_platform(port, tls)
    return [
        *version_findings(needs_redis="redis" in project.engines),
        *folder_findings(project),
        *config,
        *config_findings(project, environ),
        *(trust or await _reach(project, tls, sign_in=sign_in)),
        *await store_findings(project),
        *runtime_findings(environ),
        *port_findings(port, platform_there=platform_there),
    ]


async def _trusted(project: Project) -> tuple[ssl.SSLContext | None, Sequence[Finding]]:
    """Whom the project trusts besides the machine's authorities, and what is wrong with that."""
    if project.settings is None or project.settings.ca_file is None:
        return None, ()
    try:
        return await run_in_thread(trusting, project.folder / project.settings.ca_file), ()
    except ConfigError as exc:
        return None, [config_error(exc)]


async def _reach(
    project: Project, tls: ssl.SSLContext | None, *, sign_in: bool
) -> Sequence[Finding]:
    if project.settings is None:
        return ()
    settings = project.settings
    found: dict[str, Finding] = {}

    async def look(name: str) -> None:
        found[name] = await (http_finding if name == "http" else socket_finding)(settings, tls)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(look, "http")
        nursery.start_soon(look, "socket")
    both = [found["http"], found["socket"]]
    if not sign_in:
        return [*both, note("platform", "not signed in; --sign-in tries e-mail and password")]
    if project.complete is None:
        return [*both, note("platform", "not signed in, since the config is not complete")]
    return [*both, await sign_in_finding(project.complete, tls)]


def _safe(finding: Finding) -> Finding:
    """One line each, whatever a file or a platform said."""
    said, remedy = escape(redact(finding.said)), escape(redact(finding.remedy))
    return attrs.evolve(finding, said=said, remedy=remedy)


def _lines(findings: Sequence[Finding]) -> list[str]:
    lines: list[str] = []
    for area, group in groupby(findings, key=lambda each: each.area):
        lines.append(area)
        for each in group:
            lines.append(f"  {_MARKS[each.state]}  {each.said}")
            if each.remedy:
                lines.append(f"         {each.remedy}")
    return [*lines, "", *_summary([each for each in findings if each.state == "wrong"])]


def _summary(in_the_way: Sequence[Finding]) -> list[str]:
    """How many things stand in the way, and of what."""
    if not in_the_way:
        return ["Nothing stands in the way."]
    number = len(in_the_way)
    they = f"{counted(number, 'thing')} {'stands' if number == 1 else 'stand'} in the way"
    of_run = [each for each in in_the_way if each.run_only]
    if not of_run:
        return [f"{they}."]
    if len(of_run) == number:
        return [
            f"{they} of `moobius-trio run`.",
            "Nothing stands in the way of `moobius-trio dev` and of tests.",
        ]
    return [f"{they}, {len(of_run)} of them of `moobius-trio run` alone."]
