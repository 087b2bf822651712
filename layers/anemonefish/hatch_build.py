"""Put the reference model into the wheel and the sdist, so that an installation outside a checkout has one.

The version that ``models/reef/production.json`` of the checkout means goes to ``anemonefish/shipped``. Where that
folder is not beside the sources (the Lambda layer and the image are built from this folder alone) or
``ANEMONEFISH_WITHOUT_MODELS`` is set, the wheel has none: workers read their models from a bucket.
"""

import json
import os
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ReferenceModel(BuildHookInterface):
    """The hook that hatchling calls."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the files of the bundle; an editable installation uses the checkout's own."""
        models = Path(self.root).parents[1] / "models" / "reef"
        pointer = models / "production.json"
        if version == "editable" or os.environ.get("ANEMONEFISH_WITHOUT_MODELS") or not pointer.is_file():
            return
        package = "src/anemonefish" if self.target_name == "sdist" else "anemonefish"
        bundle = models / json.loads(pointer.read_text(encoding="utf-8"))["version"]
        for file in (pointer, *sorted(bundle.iterdir())):
            build_data["force_include"][str(file)] = f"{package}/shipped/reef/{file.relative_to(models).as_posix()}"
