"""Run docs/notebook.ipynb, store its outputs, and write the same session as the page docs/notebook.md.

    .venv/bin/python docs/make_notebook.py

The code cells run one after the other in a fresh process, in a temporary folder. No Jupyter is needed.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
NOTEBOOK, PAGE = HERE / "notebook.ipynb", HERE / "notebook.md"

Notebook = dict[str, Any]

NOTE = "<!-- Written by docs/make_notebook.py from docs/notebook.ipynb; change the notebook. -->"


def execute(notebook: Notebook) -> Notebook:
    """Return the notebook with the outputs of its code cells, which run in a process and a folder of their own.

    Raises
    ------
    subprocess.CalledProcessError
        A cell raised an error; its traceback is on standard error.
    """
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, str(Path(__file__).resolve()), "run"],
            input=json.dumps(notebook),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
    return dict(json.loads(done.stdout))


def run(notebook: Notebook) -> Notebook:
    """Run the code cells here, in order, and return the notebook with their outputs."""
    names: dict[str, Any] = {"__name__": "__main__"}
    number = 0
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            number += 1
            cell["execution_count"] = number
            cell["outputs"] = _outputs("".join(cell["source"]), names, number)
    return notebook


def _outputs(source: str, names: dict[str, Any], number: int) -> list[dict[str, Any]]:
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed, value = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, f"<cell {number}>", "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), f"<cell {number}>", "eval"), names)
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": _lines(printed.getvalue())})
    if value is not None:
        outputs.append(
            {"output_type": "execute_result", "execution_count": number, "metadata": {}, "data": _shown(value)}
        )
    return outputs


def _shown(value: object) -> dict[str, Any]:
    """Return what Jupyter shows of a value: text, and HTML or a PNG where it has one."""
    data: dict[str, Any] = {"text/plain": _lines(repr(value))}
    if hasattr(value, "_repr_html_"):
        data["text/html"] = _lines(value._repr_html_())
    if hasattr(value, "_repr_png_"):
        data["image/png"] = base64.b64encode(value._repr_png_()).decode()
    return data


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def page(notebook: Notebook) -> tuple[str, dict[str, bytes]]:
    """Return the session as Markdown, and its pictures by their path below docs/."""
    parts, pictures = [NOTE], {}
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        for output in cell["outputs"]:
            data = output.get("data", {})
            if "image/png" in data:
                name = f"images/notebook-{len(pictures) + 1}.png"
                pictures[name] = base64.b64decode(data["image/png"])
                parts.append(f"![The picture that the cell above shows]({name})")
            else:
                parts.append(f"```text\n{''.join(data.get('text/plain') or output['text']).rstrip()}\n```")
    return "\n\n".join(parts) + "\n", pictures


def main() -> None:
    """Run the notebook and write its outputs and the page."""
    if sys.argv[1:] == ["run"]:
        executed = run(json.load(sys.stdin))
        json.dump(executed, sys.__stdout__)  # type: ignore[arg-type]
        return
    notebook = execute(json.loads(NOTEBOOK.read_text()))
    NOTEBOOK.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")
    text, pictures = page(notebook)
    PAGE.write_text(text)
    for name, png in pictures.items():
        (HERE / name).write_bytes(png)


if __name__ == "__main__":
    main()
