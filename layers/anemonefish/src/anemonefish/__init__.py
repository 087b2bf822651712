"""Find anemonefish calls in hydrophone recordings.

``import anemonefish as af`` offers what a script or a notebook needs; each name is loaded when it is first used::

    af.detect(paths)               find events in recordings: a file, a folder, several
    af.score(paths)                score the windows of recordings and decide nothing
    af.plan(paths)                 say what an analysis would take in an AWS account
    af.read_results(folder)        read the results of an earlier run
    af.calibrate_scores(results)   turn scores into probabilities by the verdicts on a review
    af.evaluate(results, marks)    compare results with annotations: precision, recall, F1
    af.review(folder)              write a page on which a person judges a sample of results
    af.take_verdicts(folder, csv)  take the verdicts back, and write them as labels
    af.read_annotations(path)      read Raven, Audacity and CSV files
    af.simulate(path)              write a simulated reef scene with its annotations
    af.load_model(name)            load a published model
    af.train(recordings, labels)   train a model on labels of your own, test it and publish it
    af.publish(file, ...)          publish a network that Keras saved
    af.spectrograms(profile, ...)  make the spectrograms of the training from samples
    af.AudioPreprocessor           from a recording to spectrograms, step by step
    af.ModelInference              batches of spectrograms in, scores with their times out
    af.Detections                  what detect returns: events, scores, notes, failures, tables, plots
    af.Scores                      what score returns: a row per window, a column per class
    af.Annotations                 what read_annotations returns
    af.EvaluationResult            what evaluate returns
    af.TrainingResult              what train returns
    af.Settings                    everything that can be set, with its default
    af.AnemonefishError            base of every error; af.errors has the whole tree
    af.RecordingError              a recording cannot be analysed
    af.ModelError                  a model does not exist or may not be used
    af.InvalidSettings             a setting is unknown or out of range
    af.InvalidRequest              what was asked for cannot be understood
    af.StorageError                a folder or a bucket could not be read or written

The command line and the AWS workflow use the same code; docs/architecture.md says which module does what.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from anemonefish.layer_check import check_layers

check_layers()  # before anything compiled is loaded: a library for another processor fails without saying why

if TYPE_CHECKING:
    from anemonefish import errors
    from anemonefish.errors import (
        AnemonefishError,
        InvalidRequest,
        InvalidSettings,
        ModelError,
        RecordingError,
        StorageError,
    )
    from anemonefish.front.annotation_tables import Annotations, read_annotations
    from anemonefish.front.detection import detect, plan, score
    from anemonefish.front.detections import Detections
    from anemonefish.front.evaluation_results import EvaluationResult, evaluate
    from anemonefish.front.inference import ModelInference, load_model
    from anemonefish.front.model_publishing import publish
    from anemonefish.front.model_training import TrainingResult, train
    from anemonefish.front.preprocessor import AudioPreprocessor
    from anemonefish.front.review_pages import review, take_verdicts
    from anemonefish.front.saved_results import read_results
    from anemonefish.front.score_calibrations import calibrate_scores
    from anemonefish.front.scores import Scores
    from anemonefish.front.simulated_recordings import simulate
    from anemonefish.profiles import spectrograms
    from anemonefish.settings import Settings

__all__ = [
    "AnemonefishError",
    "Annotations",
    "AudioPreprocessor",
    "Detections",
    "EvaluationResult",
    "InvalidRequest",
    "InvalidSettings",
    "ModelError",
    "ModelInference",
    "RecordingError",
    "Scores",
    "Settings",
    "StorageError",
    "TrainingResult",
    "__version__",
    "calibrate_scores",
    "detect",
    "errors",
    "evaluate",
    "load_model",
    "plan",
    "publish",
    "read_annotations",
    "read_results",
    "review",
    "score",
    "simulate",
    "spectrograms",
    "take_verdicts",
    "train",
]

__version__ = "0.1.0"

_NAMES_OF = {
    "errors": (
        "AnemonefishError",
        "InvalidRequest",
        "InvalidSettings",
        "ModelError",
        "RecordingError",
        "StorageError",
    ),
    "front.annotation_tables": ("Annotations", "read_annotations"),
    "front.detection": ("detect", "plan", "score"),
    "front.detections": ("Detections",),
    "front.evaluation_results": ("EvaluationResult", "evaluate"),
    "front.inference": ("ModelInference", "load_model"),
    "front.model_publishing": ("publish",),
    "front.model_training": ("TrainingResult", "train"),
    "front.preprocessor": ("AudioPreprocessor",),
    "front.review_pages": ("review", "take_verdicts"),
    "front.saved_results": ("read_results",),
    "front.score_calibrations": ("calibrate_scores",),
    "front.scores": ("Scores",),
    "front.simulated_recordings": ("simulate",),
    "profiles": ("spectrograms",),
    "settings": ("Settings",),
}
"""Names by the module that has them."""

_MODULE_OF = {name: module for module, names in _NAMES_OF.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load a name when it is first used: the command's help needs no numpy, a worker no front."""
    if name == "errors":
        return import_module("anemonefish.errors")
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"anemonefish.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the names that are offered, those that are not loaded yet included."""
    return sorted({*globals(), *__all__})
