"""Package template.yaml for the emulator.

The local stack differs from the deployed one in five properties::

    Runtime      python3.13 becomes provided.al2023 with a bootstrap that starts this host's Python. ministack's own
                 Python runtime reports every exception as Runtime.HandlerError, but the state machine matches
                 errors by name.
    Layers       become the PYTHONPATH of that bootstrap, in the same order, because ministack does not mount /opt.
    BucketPolicy is left out, because ours refuse plain HTTP and the local endpoint has no TLS.
    Timeout      of functions becomes Lambda's maximum, because a busy machine may start a function slowly.
    Metrics      of an alarm become its first metric, because ministack has no metric math in alarms.

Everything else (roles and policies, buckets, alarms, the state machine) is deployed as it is written, and the template
file is not changed. :mod:`localstack.ministack_main` adds what the emulator itself lacks.
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
"""Lambda's maximum in seconds."""

_RUNTIME_LOOP = Path(__file__).with_name("runtime_loop.py")


@dataclass(slots=True)
class Package:
    """A template whose local paths are replaced by objects in a bucket.

    Attributes
    ----------
    template : dict
        The template, with intrinsic functions in their long form.
    objects : dict
        Content of the objects to upload, by key.
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
        contents = _layers_without_libraries(resources, path.parent)
        for name, resource in list(resources.items()):
            properties = resource.get("Properties", {})
            match resource["Type"]:
                case "AWS::Serverless::Function":
                    names = [layer["Ref"] for layer in shared + properties.pop("Layers", [])]
                    own = [layers / layer / "python" for layer in names if layer not in contents]
                    root = next((contents[layer] for layer in names if layer in contents), None)
                    bootstrap = _bootstrap(name, own, layers / "Runtime/python", root)
                    code = _zip(path.parent / properties["CodeUri"], bootstrap)
                    properties["CodeUri"] = package._add(f"{name}.zip", code)
                    properties["Timeout"] = _LONGEST_TIMEOUT
                case "AWS::Serverless::StateMachine":
                    definition = (path.parent / properties["DefinitionUri"]).read_bytes()
                    properties["DefinitionUri"] = package._add(f"{name}.json", definition)
                case "AWS::Serverless::LayerVersion" | "AWS::S3::BucketPolicy":
                    del resources[name]
                case "AWS::CloudWatch::Alarm" if "Metrics" in properties:
                    queries = properties.pop("Metrics")
                    first = next(query["MetricStat"] for query in queries if "MetricStat" in query)
                    properties |= {**first["Metric"], "Statistic": first["Stat"], "Period": first["Period"]}
                case "Custom::ReferenceModel":
                    properties |= {"Models": "local", "Package": "local"}  # versions of layers
                case "Custom::ConfigurationDigest":
                    parameters = package.template["Parameters"]
                    properties["Values"] = [value for value in properties["Values"] if value["Ref"] in parameters]
        return package

    @property
    def body(self) -> str:
        """The packaged template."""
        return json.dumps(self.template, separators=(",", ":"))

    def upload(self, s3: Any) -> str:
        """Upload the objects and the packaged template; return the template's path.

        CloudFormation accepts 51,200 bytes of template in a request and a million in a bucket.
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
    """Read a CloudFormation template and the resources it includes; ``!Ref x`` becomes ``{"Ref": "x"}`` and so on."""
    template: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    include = template["Resources"].pop("Fn::Transform", None)
    if include is None:
        return template
    included = path.parent / include["Parameters"]["Location"]
    # The loader of plain YAML, because CloudFormation accepts no short tags in an included file.
    template["Resources"] |= yaml.safe_load(included.read_text(encoding="utf-8"))
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
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if name == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {name if name in {"Ref", "Condition"} else f"Fn::{name}": value}


_Loader.add_multi_constructor("!", _intrinsic)


def _layers_without_libraries(resources: dict[str, Any], folder: Path) -> dict[str, Path]:
    """Return the folders of layers that `make layers` does not build, by the layers' names."""
    return {
        name: (folder / resource["Properties"]["ContentUri"]).resolve()
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Serverless::LayerVersion" and resource["Properties"]["ContentUri"] != "layers"
    }


def _bootstrap(name: str, layers: list[Path], runtime: Path, root: Path | None) -> str:
    """Return the script that Lambda starts: this Python without its own packages (-S), with the function's path.

    The path has Lambda's order: the function, its layers, the runtime's boto3. awslambdaric is AWS's runtime client; it
    is published for Linux only, so :mod:`localstack.runtime_loop` replaces it elsewhere. ``root`` is the folder that a
    function reads instead of ``/opt``. The user agent of its calls ends with the function's name and process id.
    """
    program = ["-m", "awslambdaric"] if (runtime / "awslambdaric").is_dir() else ["-P", str(_RUNTIME_LOOP)]
    for folder in [*layers, runtime]:
        if not folder.is_dir():
            raise RuntimeError(f"there is no {folder}; build the layers for this host first (make layers)")
    path = ":".join(["$LAMBDA_TASK_ROOT", *(str(folder) for folder in [*layers, runtime])])
    command = shlex.join([sys.executable, "-S", *program])
    layer_root = "" if root is None else f"export ANEMONEFISH_LAYER_ROOT={shlex.quote(str(root))}\n"
    agent = f'export AWS_SDK_UA_APP_ID="{name}.$$"\n'  # exec keeps the process id
    return f'#!/bin/sh\n{layer_root}{agent}export PYTHONPATH="{path}"\nexec {command} "$_HANDLER"\n'


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
