"""From template.yaml to what the emulator can run.

Owns the reading of CloudFormation's YAML, the zips, and the places where the local stack differs from the
deployed one::

    Runtime      python3.13 becomes provided.al2023 with a bootstrap that starts this host's Python, because
                 ministack's own Python worker reports every exception as Runtime.HandlerError, and the state
                 machine matches errors by name.
    Layers       become PYTHONPATH in that bootstrap, because ministack does not mount /opt for it; same
                 folders, same order, only those the function has.
    BucketPolicy is left out: ours refuse plain HTTP, which is what a local endpoint speaks.
    Timeout      of functions becomes Lambda's longest: a function starts here whenever a call comes, beside whatever
                 else this machine does, and a limit of seconds would measure that.

A fifth lies in the emulator's process, :mod:`localstack.ministack_main`: the Map's fields that end in Path.
Everything else (roles and their policies, buckets, alarms, the state machine) is deployed as it is written. The
template itself is never changed.
"""

from __future__ import annotations

import io
import json
import shlex
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import yaml

__all__ = ["CAPABILITIES", "Package", "load_template"]

CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
_BUCKET = "packages"
_LONGEST_TIMEOUT = 900
"""Seconds; Lambda takes no more."""

_RUNTIME_LOOP = Path(__file__).with_name("runtime_loop.py")


@dataclass(slots=True)
class Package:
    """A template whose local paths have become objects of a bucket.

    Attributes
    ----------
    template : dict
        The template, its tags in their long form.
    objects : dict
        What to upload, by key.
    """

    template: dict[str, Any]
    objects: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, path: Path, layers: Path) -> Self:
        """Package the template at ``path`` with the built layers."""
        package = cls(load_template(path))
        globals_ = package.template["Globals"]["Function"]
        globals_["Runtime"] = "provided.al2023"
        shared = globals_.pop("Layers", [])
        resources = package.template["Resources"]
        for name, resource in list(resources.items()):
            properties = resource.get("Properties", {})
            match resource["Type"]:
                case "AWS::Serverless::Function":
                    own = [layers / layer["Ref"] / "python" for layer in shared + properties.pop("Layers", [])]
                    bootstrap = _bootstrap(own, layers / "Runtime/python")
                    code = _zip(path.parent / properties["CodeUri"], bootstrap)
                    properties["CodeUri"] = package._add(f"{name}.zip", code)
                    properties["Timeout"] = _LONGEST_TIMEOUT
                case "AWS::Serverless::StateMachine":
                    definition = (path.parent / properties["DefinitionUri"]).read_bytes()
                    properties["DefinitionUri"] = package._add(f"{name}.json", definition)
                case "AWS::Serverless::LayerVersion" | "AWS::S3::BucketPolicy":
                    del resources[name]
        return package

    @property
    def body(self) -> str:
        """The packaged template."""
        return json.dumps(self.template, separators=(",", ":"))

    def upload(self, s3: Any) -> str:
        """Put the objects where the packaged template looks for them, and it beside them; return its path.

        A template in a request may have 51,200 letters, one in a bucket a million.
        """
        s3.create_bucket(Bucket=_BUCKET)
        s3.put_object(Bucket=_BUCKET, Key="template.json", Body=self.body.encode())
        for key, data in self.objects.items():
            s3.put_object(Bucket=_BUCKET, Key=key, Body=data)
        return f"{_BUCKET}/template.json"

    def _add(self, key: str, data: bytes) -> dict[str, str]:
        self.objects[key] = data
        return {"Bucket": _BUCKET, "Key": key}


def load_template(path: Path) -> dict[str, Any]:
    """Read a CloudFormation template; ``!Ref x`` becomes ``{"Ref": "x"}`` and so on."""
    template: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    return template


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short tags."""


def _intrinsic(loader: _Loader, name: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)  # there is no fourth kind
        value = loader.construct_mapping(node, deep=True)
    if name == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {name if name in {"Ref", "Condition"} else f"Fn::{name}": value}


_Loader.add_multi_constructor("!", _intrinsic)


def _bootstrap(layers: list[Path], runtime: Path) -> str:
    """Return the script Lambda starts: this Python, without its own packages (-S), on the function's path.

    The order is Lambda's: the function, its layers, the runtime's boto3. awslambdaric is AWS's own client of
    the runtime interface; it is published for Linux only, elsewhere :mod:`localstack.runtime_loop` stands in.
    """
    program = ["-m", "awslambdaric"] if (runtime / "awslambdaric").is_dir() else ["-P", str(_RUNTIME_LOOP)]
    for folder in [*layers, runtime]:
        if not folder.is_dir():
            raise RuntimeError(f"there is no {folder}; build the layers for this host first (make layers)")
    path = ":".join(["$LAMBDA_TASK_ROOT", *(str(folder) for folder in [*layers, runtime])])
    command = shlex.join([sys.executable, "-S", *program])
    return f'#!/bin/sh\nexport PYTHONPATH="{path}"\nexec {command} "$_HANDLER"\n'


def _zip(folder: Path, bootstrap: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                archive.write(file, file.relative_to(folder))
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, bootstrap)
    return buffer.getvalue()
