"""Sphinx configuration: a website of the pages of this repository and the reference from the docstrings (`make docs`).

The source folder is the repository itself, so links between files work on the website as in the repository. The
package is parsed and not imported, so its dependencies are not needed.
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
napoleon_use_ivar = True  # attributes are listed as fields of their class, not as separate entries
suppress_warnings = [
    "autoapi.python_import_resolution",  # autoapi does not resolve names that are assigned in a tuple
    "ref.python",  # a field such as sample_rate is ambiguous if several classes have a property of this name
]

html_theme = "furo"
html_title = "anemonefish"

CONTENTS = {
    "Use it": [
        "page",
        "notebook",
        "numbers",
        "results",
        "probability",
        "settings",
        "formats",
        "time",
        "evaluate",
        "review",
        "train",
        "models",
        "bring-your-model",
    ],
    "Run it": ["api", "deploy", "network", "security", "operations", "cost", "../clients/javascript/README"],
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
    """Add the navigation of the website to the README. In the file itself, GitHub would show it as text."""
    if name == root_doc:
        for caption, pages in CONTENTS.items():
            listed = "\n".join(f"/docs/{page}" if "../" not in page else f"/{page[3:]}" for page in pages)
            source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{listed}\n```\n"


def copy_front_page(app: Sphinx, error: Exception | None) -> None:
    """Copy the README to ``index.html``, which a web server shows for the folder."""
    if error is None and app.builder.name == "html":
        shutil.copyfile(Path(app.outdir) / "README.html", Path(app.outdir) / "index.html")


def setup(app: Sphinx) -> None:
    """Register the functions above."""
    app.connect("source-read", add_contents)
    app.connect("build-finished", copy_front_page)
