"""Generate TypeScript types from the API's OpenAPI document and compile a small client with them.

    python lint/typescript.py

openapi-typescript refuses a document with a reference that does not resolve. The client (lint/client.ts) does not
compile if an optional field has become required, or if the types accept a wrong request. If a tool reports an error,
its output is printed and the exit status is 1.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TOOLS = HERE / "node_modules" / ".bin"


def main() -> int:
    """Generate the types, compile the client and return the exit status."""
    if not (TOOLS / "tsc").exists():
        raise SystemExit("openapi-typescript and tsc are not installed; run: npm ci --prefix lint")
    with tempfile.TemporaryDirectory() as folder:
        document = Path(folder, "openapi.json")
        document.write_text(json.dumps(_document()), encoding="utf-8")
        shutil.copy(HERE / "client.ts", folder)
        commands: dict[str, list[str | Path]] = {
            "openapi-typescript: the OpenAPI document": [
                *(TOOLS / "openapi-typescript", document, "--output", Path(folder, "api.d.ts")),
            ],
            "tsc: a client of its types": [
                *(TOOLS / "tsc", "--noEmit", "--strict", "--exactOptionalPropertyTypes", "--skipLibCheck"),
                *("--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler"),
                *("--lib", "es2022,dom", Path(folder, "client.ts")),
            ],
        }
        return int(not all(_passes(name, command) for name, command in commands.items()))


def _document() -> dict[str, Any]:
    """Return the OpenAPI document of a stack with all features enabled."""
    os.environ |= {"ANEMONEFISH_WEBHOOK_QUEUE": "queue", "POWERTOOLS_TRACE_DISABLED": "1"}
    from anemonefish.service.api.app import make_app
    from anemonefish.service.api.documents import openapi_document

    return openapi_document(make_app(), "https://api.example.org/v1")


def _passes(name: str, command: list[str | Path]) -> bool:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(f"{'ok    ' if done.returncode == 0 else 'FAILED'} {name}")
    if done.returncode:
        print(done.stdout + done.stderr)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
