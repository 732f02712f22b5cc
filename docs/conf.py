"""How the pages become HTML: ``nox -s docs``. The sources are the repository's own Markdown files.

Read by Sphinx with the repository's root as source folder, so that links between README, docs and
projects are the same here as where the files lie.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from sphinx.application import Sphinx

project = "moobius_trio"
author = "the moobius_trio authors"
release = metadata.version("moobius_trio")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
include_patterns = ["*.md", "docs/**", "projects/*.md", "projects/*/*.md"]
exclude_patterns = [".*", "build"]
root_doc = "docs/index"

myst_heading_anchors = 4  # as where the files are shown as they are
myst_links_external_new_tab = False
default_role = "code"

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True  # otherwise a lambda spoils its whole signature
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
maximum_signature_line_length = 88

html_theme = "furo"
html_title = f"moobius_trio {release}"
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"top_of_page_buttons": []}

COLON = "\N{PRESENTATION FORM FOR VERTICAL COLON}"
"""Stands for a colon for a moment; nothing of ours has it."""

START = """<!doctype html><meta charset="utf-8"><title>moobius_trio</title>
<meta http-equiv="refresh" content="0; url=docs/index.html">
<a href="docs/index.html">moobius_trio</a>
"""


def hide_colons(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Of "True when …: because …" over a property napoleon would make a type and a text."""
    if what in ("attribute", "data", "property") and lines:
        lines[0] = lines[0].replace(":", COLON)


def show_colons(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """When napoleon is done."""
    lines[:] = [line.replace(COLON, ":") for line in lines]


def write_start(app: Sphinx, error: Exception | None) -> None:
    """The pages lie as in the repository; who opens the folder itself is sent to the first one."""
    if error is None and app.builder.format == "html":
        (Path(app.outdir) / "index.html").write_text(START, encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", hide_colons, priority=400)  # napoleon has 500
    app.connect("autodoc-process-docstring", show_colons, priority=600)
    app.connect("build-finished", write_start)
