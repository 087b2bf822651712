"""Find anemonefish calls in hydrophone recordings: plan, score, aggregate, report.

The four verbs are the same for the laptop command, the Step Functions workflow and the API; docs/architecture.md
says which module is for what. The names below are the library's front.
"""

from anemonefish.layers import check_layers

check_layers()  # before anything compiled is loaded: a library for another processor fails without saying why

from anemonefish.profiles import spectrograms  # noqa: E402

__all__ = ["__version__", "spectrograms"]

__version__ = "0.1.0"
