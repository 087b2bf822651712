"""The command ``anemonefish``, also as ``python -m anemonefish``."""

from anemonefish.interrupts import end_at_once

__all__ = ["main"]


def main() -> None:
    """Run the command line; a signal while its modules are loaded ends it without a traceback."""
    end_at_once()
    from anemonefish.cli.main import main as command

    command(prog_name="anemonefish")


if __name__ == "__main__":
    main()
