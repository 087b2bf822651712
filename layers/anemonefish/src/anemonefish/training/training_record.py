"""What a trained model says of itself: what it has heard, and how good it is on recordings it has not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from anemonefish.evaluation.by_recording import LEAST_RECORDINGS, Figure
from anemonefish.models.card import MeasuredFigure, ModelCard
from anemonefish.training.choose_decision import LEAST_EVENTS, ChosenThreshold, Decided, Evidence
from anemonefish.training.cross_fitting import CrossFitted, mean_precisions
from anemonefish.training.held_out import ClassFigures
from anemonefish.training.labelled_recordings import LabelledRecording, Material
from anemonefish.training.network_input import NetworkInput
from anemonefish.training.recording_split import PARTS, Split
from anemonefish.training.training_options import TrainingOptions
from anemonefish.training.window_rule import rule_in_words

__all__ = ["FIT_FOR", "TrainingRecord", "few_words"]

FIT_FOR = (
    "It is fit only for recordings like those that it was trained on: the same kind of recorder and settings, similar "
    "sites and seasons. Evaluate it on labels of your own before you use it elsewhere."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRecord:
    """Everything about a training that is kept.

    Attributes
    ----------
    material : Material
    split : Split
    input : NetworkInput
    options : TrainingOptions
    fitted : CrossFitted
    decided : Decided
    figures : list of ClassFigures
        Of the test recordings.
    trunk : str
        The model whose trunk was used; empty where the whole network was trained.
    windows : dict of str to list of int
        By part, how many windows hold each class.
    """

    material: Material
    split: Split
    input: NetworkInput
    options: TrainingOptions
    fitted: CrossFitted
    decided: Decided
    figures: list[ClassFigures]
    trunk: str
    windows: dict[str, list[int]]

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of the model."""
        return self.material.meanings.classes

    @property
    def target(self) -> ClassFigures:
        """The figures of the target class."""
        return self.figures[self.classes.index(self.material.meanings.target)]

    def heard(self, part: str) -> dict[str, Any]:
        """Return what a part consists of: recordings, hours, labels of each class, sites, days."""
        recordings = self.split.part(part)
        return {
            "recordings": len(recordings),
            "hours": round(sum(each.seconds for each in recordings) / 3600, 4),
            "labels": label_counts(recordings, self.classes),
            "windows": dict(zip(self.classes, self.windows.get(part, []), strict=False)),
            "sites": sorted({each.site for each in recordings if each.site != "."}),
            "days": len({each.day for each in recordings if each.day is not None}),
        }

    def description(self, words: str) -> str:
        """Return the description of the bundle: the words of the user, and what a reader must know."""
        heard, target = self.heard("training"), self.target
        labels = ", ".join(f"{count} {label}" for label, count in heard["labels"].items())
        how = f"; a linear layer behind {self.trunk}" if self.trunk else ""
        own = f"{words.rstrip('.')}. " if words else ""
        return (
            f"{own}Trained on {_hours(heard['hours'])} of {_many(heard['recordings'], 'labelled recording')} "
            f"({labels}){how}. On {_many(len(self.split.test), 'test recording')} it had not heard, "
            f"{target.label}: recall {target.recall.words()}, precision {target.precision.words()}, F1 "
            f"{target.f1.words()} at its threshold "
            f"{target.threshold:g} (each call by itself; 90 % intervals by recording). {FIT_FOR}"
        )

    def card(self) -> ModelCard:
        """Return the card of the model; whether it is fit for science is for its user to say."""
        heard, target = self.heard("training"), self.target
        labels = ", ".join(f"{count} {label}" for label, count in heard["labels"].items())
        places = f" from {_many(len(heard['sites']), 'site')}" if heard["sites"] else ""
        days = f", {_many(heard['days'], 'day')}" if heard["days"] else ""
        test = self.heard("test")
        on = f"{_many(test['recordings'], 'test recording')}, {_hours(test['hours'])}, that it had not heard"
        rates = {
            "calls that were found, matched one to one (recall)": target.recall,
            "events that were calls (precision)": target.precision,
            "bouts that were found (recall)": target.summary.recall(bouts=True),
            "false events an hour": target.summary.false_per_hour,
        }
        return ModelCard(
            why=FIT_FOR,
            heard=(f"{_hours(heard['hours'])} of {_many(heard['recordings'], 'recording')}{places}{days}: {labels}",),
            not_heard=("other recorders, sites and seasons than those of these recordings",),
            measured=tuple(
                _measured(f"{target.label}: {what}", rate.value, rate, on)
                for what, rate in rates.items()
                if rate.value is not None
            ),
        )

    def lines(self) -> Iterator[str]:
        """Yield what a person should know after the training."""
        for part in PARTS:
            heard = self.heard(part)
            labels = ", ".join(f"{count} {label}" for label, count in heard["labels"].items())
            yield f"{part}: {_many(heard['recordings'], 'recording')}, {_hours(heard['hours'])}, labels: {labels}"
        yield f"divided by {self.split.by}; windows of one recording are never in two parts"
        for column, each in enumerate(self.figures):
            chosen = self.decided.thresholds[column]
            yield f"{each.label}: threshold {each.threshold:g}, {self._promise(chosen)}"
            if chosen.is_doubtful:
                yield f"{each.label}: {few_words(chosen)}"
            yield f"{each.label}, on test recordings that it had not heard:"
            yield from (f"  {line}" for line in each.summary.lines())
            yield f"  {each.calls.labels_found} of {each.calls.labels} calls lie in an event"
        yield FIT_FOR

    def _promise(self, chosen: ChosenThreshold) -> str:
        """Return what the threshold was chosen for, and which precision may be expected."""
        wanted = f"{self.options.precision:g}"
        why = {
            Evidence.ENOUGH: f"for a precision of {wanted} or more (lower limit, 80 %)",
            Evidence.LITTLE: f"with a precision of {wanted} on these recordings, which is too uncertain to promise",
            Evidence.MISSED: f"with the best F1, because no threshold has a precision of {wanted}",
        }[chosen.evidence]
        return f"{why}; expected precision {chosen.precision.words()}"

    def to_dict(self) -> dict[str, Any]:
        """Return the record for ``model.json``."""
        options = asdict(self.options)
        options["band"] = list(self.input.profile.band(self.input.sample_rate))
        options["mapping"] = dict(self.options.mapping)
        last = self.fitted.history.epochs[self.fitted.epoch]
        return {
            "classes": list(self.classes),
            "trained_on": "labelled recordings of a user (anemonefish train)",
            "fit_for": FIT_FOR,
            "heard": {part: self.heard(part) for part in PARTS},
            "left_out": len(self.material.left_out),
            "label_names": {
                name or "(no name)": {"labels": count, "means": self._meaning(name)}
                for name, count in self.material.label_names.items()
            },
            "split_by": self.split.by,
            "window_rule": rule_in_words(self.options.overlap, self.options.stretches),
            "matching": "as anemonefish evaluate: overlap of half the shorter of the two, matched one to one",
            "thresholds": {
                label: chosen.threshold for label, chosen in zip(self.classes, self.decided.thresholds, strict=True)
            },
            "wanted_precision": self.options.precision,
            "cross_fitting": {
                "folds": len(self.split.folds),
                **{
                    label: {
                        "wanted_precision": chosen.evidence.name.lower(),
                        "events": chosen.at.calls.events,
                        "few": chosen.is_doubtful,
                        "expected_precision": chosen.precision.to_dict(),
                        "expected_recall": chosen.expected.recall(bouts=False).to_dict(),
                        "expected_bout_recall": chosen.expected.recall(bouts=True).to_dict(),
                    }
                    for label, chosen in zip(self.classes, self.decided.thresholds, strict=True)
                },
            },
            "test": {each.label: each.to_dict() for each in self.figures},
            "intervals": "90 %, over recordings",
            "epochs_trained": len(self.fitted.history.epochs),
            "final_train_loss": round(last.loss, 6),
            "held_out_average_precision": round(mean_precisions(self.fitted.folds)[self.fitted.epoch], 6),
            "class_weights": list(self.fitted.history.weights),
            "few_labels_trunk": self.trunk,
            "options": {name: list(value) if isinstance(value, tuple) else value for name, value in options.items()},
        }

    def _meaning(self, name: str) -> str:
        meaning = self.material.meanings.of[name]
        return self.classes[meaning] if meaning >= 0 else {-1: "no class", -2: "doubt"}[meaning]


def label_counts(recordings: Sequence[LabelledRecording], classes: Sequence[str]) -> dict[str, int]:
    """Return how many labels of each class recordings have."""
    return {label: sum(each.count(column) for each in recordings) for column, label in enumerate(classes)}


def _measured(what: str, value: float, figure: Figure, on: str) -> MeasuredFigure:
    """Return a figure of a card."""
    interval = None
    if figure.low is not None and figure.high is not None:
        interval = round(min(figure.low, value), 4), round(max(figure.high, value), 4)
    return MeasuredFigure(what=what, value=round(value, 4), interval=interval, measured_on=on)


def _rounded(rate: Fraction | None) -> float | None:
    return None if rate is None else round(float(rate), 4)


def few_words(chosen: ChosenThreshold) -> str:
    """Return the warning that few events or recordings decide a threshold."""
    return (
        f"only {_many(chosen.at.calls.events, 'event')} in {_many(chosen.recordings_with_events, 'recording')} decide "
        f"this threshold; "
        f"other recordings may differ much. Label more: {LEAST_EVENTS} events in {LEAST_RECORDINGS} recordings are the "
        f"least"
    )


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _hours(hours: float) -> str:
    return f"{hours:.1f} h" if hours >= 1 else f"{hours * 60:.1f} min"
