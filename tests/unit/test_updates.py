"""Updates of the functions behind the API: what publishes a version, what calls it, and what undoes an update.

A version that is not published is the worst case: the deployment succeeds, and the API goes on with the old code.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from localstack.packaging import load_template
from tests.cloudformation import TRANSLATORS, Stack

REPOSITORY = Path(__file__).parents[2]
SOURCE = load_template(REPOSITORY / "template.yaml")
FUNCTIONS = ("ApiFunction", "PredictFunction")
CANARY = Stack({"TrafficShift": "Canary10Percent5Minutes"})
KERAS = Stack({"Engine": "keras", "EngineImage": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/engine:1"})


def _versions(resources: dict[str, Any]) -> dict[str, str]:
    """Return the logical id of each function's version."""
    return {
        resource["Properties"]["FunctionName"]["Ref"]: name
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Lambda::Version"
    }


def _translated(folder: Path, old: str, new: str) -> dict[str, str]:
    """Return the versions of the template after a change."""
    text = (REPOSITORY / "template.yaml").read_text(encoding="utf-8")
    assert text.count(old) == 1, old
    (folder / "template.yaml").write_text(text.replace(old, new), encoding="utf-8")
    shutil.copy(REPOSITORY / "monitoring.yaml", folder)
    (folder / "lint").mkdir(exist_ok=True)
    shutil.copy(REPOSITORY / "lint" / "translated.py", folder / "lint")
    python = next(path for path in TRANSLATORS if path.exists())
    done = subprocess.run([python, folder / "lint" / "translated.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return _versions(json.loads(done.stdout)["Resources"])


def test_change_of_the_template_publishes_a_version_of_the_function_that_it_changes(tmp_path: Path) -> None:
    before = _versions(Stack().template["Resources"])
    memory = "functions/api\n      MemorySize: 17"
    after = _translated(tmp_path, f"{memory}69", f"{memory}70")
    assert set(before) == set(after) == set(FUNCTIONS)
    assert {name for name in FUNCTIONS if before[name] != after[name]} == {"ApiFunction"}


def test_every_layer_of_the_functions_is_in_the_digest() -> None:
    """A layer with other content has another logical id, and with it another ARN."""
    resources = Stack().template["Resources"]
    digest = {value["Ref"] for value in resources["ConfigurationDigest"]["Properties"]["Values"]}
    layers = {layer["Ref"] for name in FUNCTIONS for layer in resources[name]["Properties"]["Layers"]}
    assert digest == layers | set(SOURCE["Parameters"])
    assert all(resources[layer]["Type"] == "AWS::Lambda::LayerVersion" for layer in layers)


def test_digest_changes_the_function_and_its_version() -> None:
    """Lambda publishes no version of an unchanged function, and CloudFormation none of an unchanged resource."""
    resources = Stack().template["Resources"]
    digest = {"Fn::GetAtt": ["ConfigurationDigest", "Digest"]}
    for function, version in _versions(resources).items():
        assert resources[version]["Properties"]["Description"] == digest
        assert resources[version]["DeletionPolicy"] == "Delete"  # old versions count against the account's storage
        variables = resources[function]["Properties"]["Environment"]["Variables"]
        assert variables["ANEMONEFISH_CONFIGURATION"] == digest


def test_digest_differs_for_other_values_only() -> None:
    spec = importlib.util.spec_from_file_location("models_app", REPOSITORY / "functions" / "models" / "app.py")
    assert spec is not None
    assert spec.loader is not None
    app = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(app)

    def digest(*values: str, request: str = "Update") -> str:
        resource = {"ServiceToken": "arn", "Values": list(values)}
        event = {"RequestType": request, "ResourceType": "Custom::ConfigurationDigest", "ResourceProperties": resource}
        answer = app.handler(event, None)
        assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", "configuration-digest")
        return str(answer["Data"]["Digest"])

    assert digest("dev", "8") == digest("dev", "8", request="Create") == digest("dev", "8", request="Delete")
    assert len({digest("dev", "8"), digest("dev", "9"), digest("dev8", ""), digest("8", "dev")}) == 4
    assert len(digest("x" * 10_000)) <= 256  # a version's description


@pytest.mark.parametrize("stack", [Stack(), KERAS], ids=["LiteRT", "Keras"])
def test_api_calls_aliases_and_the_function_that_only_reads(stack: Stack) -> None:
    [api] = stack.resources("AWS::ApiGateway::RestApi").values()
    called = {
        integration["uri"].partition("/functions/")[2].removesuffix("/invocations")
        for path in api["Properties"]["Body"]["paths"].values()
        for method in path.values()
        if (integration := method.get("x-amazon-apigateway-integration"))
    }
    predict = stack.arn("PredictImageFunction") if stack is KERAS else f"{stack.arn('PredictFunction')}:live"
    assert called == {f"{stack.arn('ApiFunction')}:live", predict, stack.arn("ExcerptFunction")}
    permissions = stack.template["Resources"]
    assert permissions["ApiMayCall"]["Properties"]["FunctionName"] == {"Ref": "ApiFunctionAliaslive"}
    assert permissions["ApiMayPredict"]["Properties"]["FunctionName"]["Fn::If"] == [
        "UsesKeras", {"Ref": "PredictImageFunction"}, {"Ref": "PredictFunctionAliaslive"}
    ]  # fmt: skip


def test_update_moves_the_alias_by_codedeploy_and_errors_of_the_alias_undo_it() -> None:
    groups = CANARY.resources("AWS::CodeDeploy::DeploymentGroup")
    assert set(groups) == {f"{name}DeploymentGroup" for name in FUNCTIONS}
    for name in FUNCTIONS:
        alarm = f"{name.removesuffix('Function')}UpdateAlarm"
        properties = groups[f"{name}DeploymentGroup"]["Properties"]
        assert properties["DeploymentConfigName"] == "CodeDeployDefault.LambdaCanary10Percent5Minutes"
        assert properties["AutoRollbackConfiguration"]["Enabled"]
        assert properties["AlarmConfiguration"]["Alarms"] == [{"Name": CANARY.resolved({"Ref": alarm})}]
        function = CANARY.resolved({"Ref": name})
        watched = CANARY.resources("AWS::CloudWatch::Alarm")[alarm]["Properties"]
        assert watched["Dimensions"] == [
            {"Name": "FunctionName", "Value": function},
            {"Name": "Resource", "Value": f"{function}:live"},
        ]
        assert CANARY.template["Resources"][f"{name}Aliaslive"]["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]


def test_default_update_is_immediate_and_adds_no_alarm() -> None:
    stack = Stack()
    for group in stack.resources("AWS::CodeDeploy::DeploymentGroup").values():
        assert group["Properties"]["DeploymentConfigName"] == "CodeDeployDefault.LambdaAllAtOnce"
        assert group["Properties"]["AlarmConfiguration"] == {}
    assert not [name for name in stack.resources("AWS::CloudWatch::Alarm") if name.endswith("UpdateAlarm")]


def test_function_in_an_image_has_no_alias() -> None:
    assert set(KERAS.resources("AWS::Lambda::Alias")) == {"ApiFunctionAliaslive"}
    assert set(KERAS.resources("AWS::CodeDeploy::DeploymentGroup")) == {"ApiFunctionDeploymentGroup"}


def _refusals(**parameters: Any) -> list[str]:
    """Return what CloudFormation answers for parameters that its rules refuse."""
    stack = Stack(parameters)
    return [
        assertion["AssertDescription"]
        for rule in SOURCE["Rules"].values()
        if "RuleCondition" not in rule or stack.holds(rule["RuleCondition"])
        for assertion in rule["Assertions"]
        if not stack.holds(assertion["Assert"])
    ]


def test_cold_starts_are_shortened_by_parameter_in_one_way_only() -> None:
    provisioned = Stack({"PredictProvisioned": 2})
    alias = provisioned.resources("AWS::Lambda::Alias")["PredictFunctionAliaslive"]["Properties"]
    assert alias["ProvisionedConcurrencyConfig"] == {"ProvisionedConcurrentExecutions": 2}
    assert provisioned.resources()["PredictFunction"]["Properties"]["SnapStart"] == {"ApplyOn": "None"}
    assert _refusals(PredictProvisioned=2) == []

    snapshots = Stack({"PredictSnapStart": "enabled"})
    assert snapshots.resources()["PredictFunction"]["Properties"]["SnapStart"] == {"ApplyOn": "PublishedVersions"}
    alias = snapshots.resources("AWS::Lambda::Alias")["PredictFunctionAliaslive"]["Properties"]
    assert "ProvisionedConcurrencyConfig" not in alias
    assert _refusals(PredictSnapStart="enabled") == []

    [reason] = _refusals(PredictSnapStart="enabled", PredictProvisioned=2)
    assert "not both" in reason
    keras = {"Engine": "keras", "EngineImage": "image", "PredictSnapStart": "enabled"}
    [reason] = _refusals(**keras)
    assert "needs Engine=litert" in reason


def test_snapshot_holds_no_state_that_must_not_be_shared(tmp_path: Path) -> None:
    """SnapStart copies the process after its imports into every later environment."""
    program = """
import json, os, sys, threading
import app
from anemonefish.cloud.clients import client
from anemonefish.service.api.services import services
paths = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
links = {os.readlink(path) for path in paths if os.path.lexists(path)}
tcp = [line.split()[9] for name in ("tcp", "tcp6") for line in open(f"/proc/self/net/{name}").readlines()[1:]]
print(json.dumps({
    "clients": client.cache_info().currsize, "services": services.cache_info().currsize,
    "threads": threading.active_count(), "connections": [inode for inode in tcp if f"socket:[{inode}]" in links],
    "files": os.listdir(os.environ["TMPDIR"]), "engine": "anemonefish.workflow.predict" in sys.modules,
}))"""  # fmt: skip
    paths = [REPOSITORY / "functions" / "predict", REPOSITORY / "layers/anemonefish/src"]
    environment = {
        "PYTHONPATH": ":".join(map(str, paths)), "TMPDIR": str(tmp_path), "ANEMONEFISH_MODELS_BUCKET": "models",
        "POWERTOOLS_METRICS_NAMESPACE": "anemonefish", "AWS_DEFAULT_REGION": "us-east-1",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "clients": 0, "services": 0, "threads": 1, "connections": [], "files": [], "engine": True,
    }  # fmt: skip
