"""Run the real template on a local AWS without Docker: ministack, and AWS's runtime client around our functions.

:mod:`~localstack.server` starts and stops the emulator, :mod:`~localstack.packaging` adapts the template to it and
:mod:`~localstack.stack` runs executions. Nothing leaves this machine, all credentials are dummies, and every process
ends with its parent::

    with LocalAws.start(Path(".build"), Path(".venv-ministack/bin/python")) as aws:
        stack = aws.deploy(Path("template.yaml"), Path(".build/layers"))
        print(stack.run({"job": {"tenant": "lab", "id": "j-1"}, "recordings": [...]}).output)

Functions run with the permissions of their roles and import from their layers only, not from the caller's packages. The
emulator does not enforce memory limits and the 256 KiB limit, and its times are not those of AWS's processors.
"""

from localstack.server import LocalAws
from localstack.stack import Execution, Stack

__all__ = ["Execution", "LocalAws", "Stack"]
