"""Sphinx: the pages of this repository and the reference out of the docstrings, as one site (`make docs`).

The source folder is the repository itself, so every link between two files works on the site as it does in the
repository. The package is read, never imported, so this needs none of its dependencies.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from sphinx.application import Sphinx

project = "anemonefish"
copyright = "the anemonefish authors, Apache-2.0"
root_doc = "README"

extensions = ["myst_parser", "autoapi.extension", "sphinx.ext.napoleon"]
include_patterns = ["*.md", "docs/*.md", "training/*.md", "clients/javascript/*.md", "reference/**"]
exclude_patterns = [".*", "**/node_modules"]
myst_heading_anchors = 4
myst_enable_extensions = ["tasklist"]

autoapi_dirs = ["layers/anemonefish/src"]
autoapi_root = "reference"
autoapi_ignore = ["*/__main__.py"]
autoapi_options = ["members", "show-module-summary", "show-inheritance"]
autoapi_python_class_content = "class"
autoapi_member_order = "bysource"
autoapi_add_toctree_entry = False
napoleon_use_ivar = True  # attributes are fields of their class, not entries of their own
suppress_warnings = [
    "autoapi.python_import_resolution",  # it does not see names that are assigned in a tuple
    "ref.python",  # a field such as sample_rate links nowhere when several classes have a property of this name
]

html_theme = "furo"
html_title = "anemonefish"

CONTENTS = {
    "Use it": ["results", "settings", "formats", "time", "evaluate", "models", "bring-your-model"],
    "Run it": ["api", "deploy", "../clients/javascript/README"],
    "Work on it": [
        "architecture",
        "benchmarks",
        "../training/README",
        "../CONTRIBUTING",
        "../CODE_OF_CONDUCT",
        "../SECURITY",
        "../CHANGELOG",
        "../reference/anemonefish/index",
    ],
}


def add_contents(_: Sphinx, name: str, source: list[str]) -> None:
    """Give the README the navigation of the site, which it cannot hold itself: GitHub would show it as text."""
    if name == root_doc:
        for caption, pages in CONTENTS.items():
            listed = "\n".join(f"/docs/{page}" if "../" not in page else f"/{page[3:]}" for page in pages)
            source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{listed}\n```\n"


def copy_front_page(app: Sphinx, error: Exception | None) -> None:
    """Make the README what a web server shows for the folder."""
    if error is None and app.builder.name == "html":
        shutil.copyfile(Path(app.outdir) / "README.html", Path(app.outdir) / "index.html")


def setup(app: Sphinx) -> None:
    """Register what is above."""
    app.connect("source-read", add_contents)
    app.connect("build-finished", copy_front_page)
