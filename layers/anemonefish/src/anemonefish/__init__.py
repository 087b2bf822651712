"""Find anemonefish calls in hydrophone recordings: plan, score, aggregate, report.

The four verbs are the same for the laptop command, the Step Functions workflow and the API; docs/architecture.md
says which module is for what. The names below are the library's front; numpy is loaded when one of them is used.
"""

from typing import TYPE_CHECKING, Any

from anemonefish.layers import check_layers

check_layers()  # before anything compiled is loaded: a library for another processor fails without saying why

if TYPE_CHECKING:
    from anemonefish.profiles import spectrograms

__all__ = ["__version__", "spectrograms"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import a name of the library's front when it is first used, so that the command's help needs no numpy."""
    if name != "spectrograms":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from anemonefish.profiles import spectrograms

    return spectrograms
