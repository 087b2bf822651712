"""Push the container image of ``Engine=keras`` to the repository of a stack, and name it by its digest.

    python -m shipping.image push STACK IMAGE TAG     # prints <repository>@sha256:<digest>, the EngineImage to deploy
    python -m shipping.image use SAMCONFIG STAGE NAME # puts Engine=keras and EngineImage=NAME into a stage's parameters

A digest names the bytes of an image, so every deployment with it runs the same image. A tag that is in the repository
already is not pushed again, because the repository's tags are immutable.
"""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["push", "use"]


def main(words: list[str]) -> int:
    """Push an image or use one."""
    match words:
        case ["push", stack, image, tag]:
            import boto3

            print(push(boto3.client("cloudformation"), boto3.client("ecr"), stack, image, tag))
        case ["use", samconfig, stage, name]:
            use(Path(samconfig), stage, name)
        case _:
            raise SystemExit(__doc__)
    return 0


def push(cloudformation: Any, ecr: Any, stack: str, image: str, tag: str) -> str:
    """Push a local image; return its name with its digest.

    Parameters
    ----------
    cloudformation, ecr : botocore client
    stack : str
        Name of the stack whose output EngineRepositoryUri names the repository.
    image, tag : str
        The image on this machine, and its tag in the repository.

    Raises
    ------
    SystemExit
        The stack has no repository, or Docker failed.
    """
    described = cloudformation.describe_stacks(StackName=stack)["Stacks"][0].get("Outputs", [])
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described}
    if "EngineRepositoryUri" not in outputs:
        raise SystemExit(f"stack {stack} has no output EngineRepositoryUri; deploy it first")
    repository = outputs["EngineRepositoryUri"]
    registry, _, name = repository.partition("/")
    digest = _digest(ecr, name, tag)
    if digest is None:
        token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
        _, _, password = base64.b64decode(token).decode().partition(":")
        _docker("login", "--username", "AWS", "--password-stdin", registry, stdin=password)
        _docker("tag", image, f"{repository}:{tag}")
        _docker("push", f"{repository}:{tag}")
        digest = _digest(ecr, name, tag)
        if digest is None:
            raise SystemExit(f"{repository}:{tag} is not in the repository after the push; push it again")
    return f"{repository}@{digest}"


def use(samconfig: Path, stage: str, name: str) -> None:
    """Let a stage of a samconfig.toml deploy an image.

    Parameters
    ----------
    samconfig : Path
        The file, which is changed.
    stage : str
    name : str
        The image by its digest.

    Raises
    ------
    SystemExit
        The name has no digest, or the file has no such stage.
    """
    if not re.fullmatch(r"[0-9]{12}\.dkr\.ecr\.[^@\s]+@sha256:[0-9a-f]{64}", name):
        raise SystemExit(f"{name} is not an image in ECR with a digest; make push-image prints one")
    text = samconfig.read_text(encoding="utf-8")
    table = re.compile(
        rf"^\[{re.escape(stage)}\.deploy\.parameters\]\n(?:(?!\[).*\n)*?parameter_overrides = \[\n", re.M
    )
    found = table.search(text)
    if found is None:
        raise SystemExit(f"{samconfig} has no stage {stage} with a list of parameter_overrides")
    head, rest = text[: found.end()], text[found.end() :]
    listed, bracket, rest = rest.partition("]\n")
    kept = [line for line in listed.splitlines() if not re.match(r'\s*"Engine(?:Image)?=', line)]
    lines = ['    "Engine=keras",', f'    "EngineImage={name}",', *kept]
    samconfig.write_text(head + "\n".join(lines) + "\n" + bracket + rest, encoding="utf-8")


def _digest(ecr: Any, repository: str, tag: str) -> str | None:
    """Return the digest of a tag in a repository, or None if it has no such tag."""
    try:
        found = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])
    except ecr.exceptions.ImageNotFoundException:
        return None
    return str(found["imageDetails"][0]["imageDigest"])


def _docker(*words: str, stdin: str = "") -> None:
    """Run Docker; its output goes to stderr, so that only the image's name is on stdout."""
    done = subprocess.run(["docker", *words], input=stdin, text=True, stdout=sys.stderr, check=False)
    if done.returncode:
        raise SystemExit(f"docker {words[0]} failed; see above")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
