"""Functions in a private network: every AWS service that they call has an endpoint in account/network.yaml.

The services are read from the code: the clients that each function can make, by its imports.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from anemonefish.cloud.clients import client
from tests.account_templates import AccountStack
from tests.cloudformation import Stack, is_allowed, statements_of

REPOSITORY = Path(__file__).parents[2]
SOURCE = REPOSITORY / "layers/anemonefish/src"
IMAGE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/engine:1"
REGION = "eu-central-1"
OWN, OTHER = "123456789012", "999999999999"

VPC = {"VpcSubnetIds": "subnet-0a,subnet-0b", "VpcSecurityGroupIds": "sg-0a", "Webhooks": "enabled"}
STACKS = {"LiteRT": Stack(VPC), "Keras": Stack({**VPC, "Engine": "keras", "EngineImage": IMAGE})}
ENDPOINT_OF = {"stepfunctions": "states", "cloudwatch": "monitoring"}
"""The name of a service's endpoint, where it differs from boto3's name of the service."""


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest) -> Stack:
    return STACKS[request.param]


@pytest.fixture(scope="module")
def network() -> AccountStack:
    return AccountStack("network.yaml")


# --- which function runs where ---------------------------------------------------------------------------------------


def test_every_function_but_the_one_that_calls_webhooks_is_in_the_vpc(stack: Stack) -> None:
    functions = stack.resources("AWS::Lambda::Function")
    outside = {name for name, function in functions.items() if "VpcConfig" not in function["Properties"]}
    assert outside == {"NotifyFunction"}
    for name in functions.keys() - outside:
        assert functions[name]["Properties"]["VpcConfig"] == {
            "SubnetIds": ["subnet-0a", "subnet-0b"],
            "SecurityGroupIds": ["sg-0a"],
        }


def test_role_may_make_network_interfaces_if_its_function_is_in_the_vpc(stack: Stack) -> None:
    roles = stack.resources("AWS::IAM::Role")
    code = {"lambda:SourceFunctionArn": f"arn:aws:lambda:{REGION}:{OWN}:function:anemonefish-dev-x"}
    for name, function in stack.resources("AWS::Lambda::Function").items():
        [role] = [logical for logical in roles if stack.arn(logical) == function["Properties"]["Role"]]
        statements = stack.statements(role)
        in_vpc = "VpcConfig" in function["Properties"]
        assert is_allowed(statements, "ec2:CreateNetworkInterface", "*") == in_vpc, name
        # Lambda needs the permission, the code of the function does not.
        assert not is_allowed(statements, "ec2:CreateNetworkInterface", "*", code), name


@pytest.mark.parametrize(
    ("subnets", "groups", "accepted"),
    [("", "", True), ("subnet-0a", "sg-0a", True), ("subnet-0a", "", False), ("", "sg-0a", False)],
)
def test_subnets_and_security_groups_are_given_together(subnets: str, groups: str, accepted: bool) -> None:
    stack = Stack({"VpcSubnetIds": subnets, "VpcSecurityGroupIds": groups})
    rule = stack.template["Rules"]["VpcNeedsSubnetsAndSecurityGroups"]
    assert "RuleCondition" not in rule
    assert [stack.holds(assertion["Assert"]) for assertion in rule["Assertions"]] == [accepted]


def test_without_subnets_no_function_is_in_a_vpc_and_no_role_has_a_permission_of_ec2() -> None:
    stack = Stack({"Webhooks": "enabled"})
    for name, function in stack.resources("AWS::Lambda::Function").items():
        assert "VpcConfig" not in function["Properties"], name
    assert set(stack.resources("AWS::IAM::ManagedPolicy")) == {"FunctionPolicy"}
    assert "ec2:" not in str(stack.resources("AWS::IAM::Role")) + str(stack.resources("AWS::IAM::ManagedPolicy"))


# --- which services a function calls ---------------------------------------------------------------------------------


def _module_file(name: str) -> Path | None:
    base = SOURCE.joinpath(*name.split("."))
    return next((path for path in (base / "__init__.py", base.with_suffix(".py")) if path.is_file()), None)


def _imports(path: Path) -> Iterator[str]:
    """Yield the full names of everything that a file imports, and of the packages around it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            parts = name.split(".")
            yield from (".".join(parts[:length]) for length in range(2, len(parts) + 1))


def _reached(path: Path) -> set[Path]:
    """Return a file and all modules of the package that it imports, directly or through others."""
    waiting, reached = [path], set()
    while waiting:
        file = waiting.pop()
        if file not in reached:
            reached.add(file)
            found = (_module_file(name) for name in _imports(file) if name.startswith("anemonefish."))
            waiting += [module for module in found if module is not None]
    return reached


@cache
def _services(function: str) -> frozenset[str]:
    """Return boto3's names of the services that a function of ``functions/`` can call."""
    code = "\n".join(
        path.read_text(encoding="utf-8") for path in _reached(REPOSITORY / "functions" / function / "app.py")
    )
    return frozenset(re.findall(r"\bclient\(\"(\w+)\"", code))


def _functions_in_the_vpc(stack: Stack) -> dict[str, str]:
    """Return the folder in ``functions/`` of each function in the VPC."""
    return {
        name: name.removesuffix("Function").removesuffix("Image").lower()
        for name, function in stack.resources("AWS::Lambda::Function").items()
        if "VpcConfig" in function["Properties"]
    }


def test_services_are_found_in_the_code() -> None:
    assert _services("score") == {"s3"}
    assert {"dynamodb", "s3", "stepfunctions"} <= _services("heal")
    assert {"dynamodb", "s3", "sns", "sqs"} <= _services("status")
    assert _services("notify") == {"secretsmanager"}
    code = "\n".join(path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py"))
    # Every client is made with the name of its service, and by this function under its own name, so none is missed.
    assert set(re.findall(r"\bclient\(.", code)) == {'client("', "client(s"}
    assert "import client as" not in code


def test_every_service_that_a_function_calls_has_an_endpoint(stack: Stack, network: AccountStack) -> None:
    functions = _functions_in_the_vpc(stack)
    assert len(functions) >= 11
    for name, folder in functions.items():
        wanted = {ENDPOINT_OF.get(service, service) for service in _services(folder)}
        assert wanted <= network.endpoints.keys(), name


def test_no_endpoint_is_paid_for_that_nothing_uses(stack: Stack, network: AccountStack) -> None:
    called = set().union(*(_services(folder) for folder in _functions_in_the_vpc(stack).values()))
    # Lambda's own daemon sends traces through the function's network; logs go to CloudWatch without it.
    assert network.endpoints.keys() == {ENDPOINT_OF.get(service, service) for service in called} | {"xray"}


def test_the_page_names_the_endpoints_of_every_function(stack: Stack) -> None:
    page = (REPOSITORY / "docs" / "network.md").read_text(encoding="utf-8")
    table = page.partition("| function | endpoints |")[2].partition("\n\n")[0]
    documented = {
        function: set(re.findall(r"`(\w+)`", row[2]))
        for row in re.findall(r"^(\|) ([a-z, ]+) \| (.*) \|$", table, re.MULTILINE)
        for function in row[1].split(", ")
    }
    assert documented == {
        folder: {ENDPOINT_OF.get(service, service) for service in _services(folder)}
        for folder in _functions_in_the_vpc(stack).values()
    }


def test_more_endpoints_are_made_on_request() -> None:
    more = AccountStack("network.yaml", {"MoreEndpoints": "enabled"})
    few = AccountStack("network.yaml")
    assert more.endpoints.keys() - few.endpoints.keys() == {"logs", "sts", "secretsmanager", "monitoring"}


def test_the_page_has_the_cost_of_the_network(network: AccountStack) -> None:
    """An interface endpoint costs 0.01 USD an hour in each subnet (us-east-1), and a month has 730 hours."""
    subnets = [endpoint.get("SubnetIds", []) for endpoint in network.endpoints.values()]
    cost = 0.01 * 730 * sum(map(len, subnets))
    page = (REPOSITORY / "docs" / "network.md").read_text(encoding="utf-8")
    assert f"{cost:.0f} USD a month for one network" in page


def test_endpoints_answer_for_the_hosts_that_boto3_calls(
    stack: Stack, network: AccountStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "")
    client.cache_clear()
    for service in set().union(*(_services(folder) for folder in _functions_in_the_vpc(stack).values())):
        endpoint = ENDPOINT_OF.get(service, service)
        host = urlsplit(client(service).meta.endpoint_url).netloc
        assert host == f"{endpoint}.{REGION}.amazonaws.com"  # the private name of an interface endpoint
        properties = network.endpoints[endpoint]
        if endpoint in {"s3", "dynamodb"}:
            assert properties["VpcEndpointType"] == "Gateway"
        else:
            assert properties["VpcEndpointType"] == "Interface"
            assert properties["PrivateDnsEnabled"] is True
    client.cache_clear()


# --- the network -----------------------------------------------------------------------------------------------------


def test_network_has_no_way_to_the_internet(network: AccountStack) -> None:
    kinds = {resource["Type"] for resource in network.template["Resources"].values()}
    assert kinds.isdisjoint({"AWS::EC2::InternetGateway", "AWS::EC2::NatGateway", "AWS::EC2::Route"})
    for endpoint in ("s3", "dynamodb"):
        assert network.endpoints[endpoint]["RouteTableIds"] == [network.resolved({"Ref": "Routes"})]
    for name in ("SubnetA", "SubnetB"):
        routes = network.resources("AWS::EC2::SubnetRouteTableAssociation")[f"RoutesOf{name}"]["Properties"]
        assert routes == {
            "SubnetId": network.resolved({"Ref": name}),
            "RouteTableId": network.resolved({"Ref": "Routes"}),
        }


def test_functions_reach_the_endpoints_and_nothing_reaches_the_functions(network: AccountStack) -> None:
    groups = {name: group["Properties"] for name, group in network.resources("AWS::EC2::SecurityGroup").items()}
    assert "SecurityGroupIngress" not in groups["FunctionGroup"]
    for rules in (groups["FunctionGroup"]["SecurityGroupEgress"], groups["EndpointGroup"]["SecurityGroupIngress"]):
        [rule] = rules
        assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == ("tcp", 443, 443)
    [rule] = groups["EndpointGroup"]["SecurityGroupIngress"]
    assert rule["SourceSecurityGroupId"] == network.resolved({"Ref": "FunctionGroup"})


@pytest.mark.parametrize("endpoint", ["s3", "dynamodb", "states", "sqs", "sns", "xray"])
def test_endpoint_lets_only_identities_of_the_account_through(network: AccountStack, endpoint: str) -> None:
    statements = network.endpoints[endpoint]["PolicyDocument"]["Statement"]
    action = {"s3": "s3:GetObject", "states": "states:StartExecution"}.get(endpoint, f"{endpoint}:Anything")
    own = {"aws:PrincipalAccount": OWN, "aws:ResourceAccount": OWN}
    assert is_allowed(statements, action, "arn:aws:service:::resource/x", own)
    assert not is_allowed(statements, action, "arn:aws:service:::resource/x", {**own, "aws:PrincipalAccount": OTHER})


@pytest.mark.parametrize("endpoint", ["s3", "dynamodb", "sqs", "sns"])
def test_data_cannot_be_sent_to_another_account(network: AccountStack, endpoint: str) -> None:
    statements = network.endpoints[endpoint]["PolicyDocument"]["Statement"]
    context = {"aws:PrincipalAccount": OWN, "aws:ResourceAccount": OTHER}
    assert not is_allowed(statements, f"{endpoint}:PutObject", "arn:aws:s3:::their-bucket/x", context)


@pytest.mark.parametrize(("region", "written"), [("eu-central-1", "eucentral1"), ("us-gov-west-1", "usgovwest1")])
def test_the_custom_resource_can_answer_cloudformation(region: str, written: str) -> None:
    """The function ``models`` puts its answer into a bucket of AWS, by a link that another account has signed."""
    statements = AccountStack("network.yaml", region=region).endpoints["s3"]["PolicyDocument"]["Statement"]
    answer = f"arn:aws:s3:::cloudformation-custom-resource-response-{written}/arn%3Aaws%3Acloudformation/answer"
    context = {"aws:PrincipalAccount": OTHER, "aws:ResourceAccount": OTHER}
    assert is_allowed(statements, "s3:PutObject", answer, context)
    assert not is_allowed(statements, "s3:GetObject", answer, context)
    assert not is_allowed(statements, "s3:PutObject", "arn:aws:s3:::another-bucket/x", context)


def test_outputs_are_values_of_the_parameters(network: AccountStack) -> None:
    outputs = network.template["Outputs"]
    assert set(outputs) == {"VpcSubnetIds", "VpcSecurityGroupIds"}
    parameters = Stack().template["Parameters"]
    for name, example in (("VpcSubnetIds", "subnet-0a1,subnet-0b2"), ("VpcSecurityGroupIds", "sg-0a1")):
        assert re.fullmatch(parameters[name]["AllowedPattern"], example)
        assert not re.fullmatch(parameters[name]["AllowedPattern"], example + ", x")


def test_roles_of_the_network_may_write_their_log_only(network: AccountStack) -> None:
    [role] = network.resources("AWS::IAM::Role").values()
    assert {statement["Resource"] for statement in statements_of(role)} == {network.arn("FlowLogGroup")}
