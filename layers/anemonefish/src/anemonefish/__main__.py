"""``python -m anemonefish`` is the command ``anemonefish``."""

from anemonefish.cli import main

main(prog_name="anemonefish")
