"""The buckets are private: no public access, no ACLs, no unencrypted transport."""

from __future__ import annotations

from tests.cloudformation import Stack, is_allowed

STACK = Stack()


def test_no_bucket_can_become_public() -> None:
    buckets = STACK.resources("AWS::S3::Bucket")
    assert len(buckets) == 3
    for bucket in buckets.values():
        properties = bucket["Properties"]
        assert properties["PublicAccessBlockConfiguration"] == {
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        }
        assert properties["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}


def test_every_bucket_refuses_plain_http() -> None:
    everything = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    policies = {
        policy["Properties"]["Bucket"]: policy["Properties"]["PolicyDocument"]["Statement"]
        for policy in STACK.resources("AWS::S3::BucketPolicy").values()
    }
    for name in STACK.resources("AWS::S3::Bucket"):
        [statement] = policies[STACK.resolved({"Ref": name})]
        assert statement["Principal"] == "*"
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        refused = {key: statement[key] for key in ("Effect", "Action", "Resource")}
        for resource in (STACK.arn(name), f"{STACK.arn(name)}/jobs/a"):
            assert is_allowed([everything], "s3:GetObject", resource)
            assert not is_allowed([everything, refused], "s3:GetObject", resource)
