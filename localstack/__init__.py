"""A local AWS without Docker: the real template on ministack, with the real Lambda runtime around our code.

Owns starting and stopping the emulator (:mod:`~localstack.server`), fitting the template to it
(:mod:`~localstack.packaging`) and running executions (:mod:`~localstack.stack`). Promises that nothing leaves
this machine, that no credentials but dummies are used, and that every process ends with its parent::

    with LocalAws.start(Path(".build"), Path(".venv-ministack/bin/python")) as aws:
        stack = aws.deploy(Path("template.yaml"), Path(".build/layers"))
        print(stack.run({"job": {"tenant": "lab", "id": "j-1"}, "recordings": [...]}).output)

Functions run as their own role with policies enforced, see only the layers the template gives them, and no
package of the caller. What it cannot tell: memory limits, the 256 KiB limit, time on AWS's processors.
"""

from localstack.server import LocalAws
from localstack.stack import Execution, Stack

__all__ = ["Execution", "LocalAws", "Stack"]
