"""``model.json``: everything about a model that is not its weights.

A bundle is a folder ``{name}/{version}`` with ``model.json``, ``model.keras`` and ``golden.npz``; ``model.tflite``
unless Keras serves the model; ``layers.py`` where the network has layers of its own; ``model.winograd.param`` and
``.bin`` where ncnn serves it; ``model.int8.tflite`` for the variant ``int8``. ``model.json`` names the hash of every
other file. Its own SHA-256 is the hash of the bundle, which goes into every plan and every result.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field, replace
from typing import Any, Self

from anemonefish.errors import IncompatibleModel, InvalidBundle, InvalidSettings
from anemonefish.models.card import NOT_STATED, ModelCard
from anemonefish.models.decision import EVERY_OTHER, LAB_DECISION, Decision
from anemonefish.models.earlier_cards import EARLIER_CARDS
from anemonefish.models.model_names import ENGINES, VARIANTS
from anemonefish.profiles import Profile, profile_from_dict
from anemonefish.settings import Settings

__all__ = [
    "DEPLOYMENTS",
    "ENGINES",
    "FORMAT",
    "GOLDEN",
    "KERAS",
    "LAYERS",
    "LITERT",
    "MODEL_JSON",
    "MOST_TOLERANCE",
    "TOLERANCE",
    "VARIANTS",
    "WINOGRAD",
    "FileFact",
    "ModelSpec",
    "sha256",
    "variant_files",
]

FORMAT = 1
MODEL_JSON = "model.json"
KERAS = "model.keras"
LITERT = "model.tflite"
GOLDEN = "golden.npz"
LAYERS = "layers.py"

DEPLOYMENTS = ("litert", "keras")
"""What may be deployed: zip-packaged workers with LiteRT and ncnn, or the container image with Keras."""

WINOGRAD = "winograd"
"""The variant that ncnn runs. It may also serve the network by default."""

TOLERANCE = 1e-5
"""Largest difference of a score between Keras and the engine that serves. Networks of the lab's two shapes differed by
up to 2.7e-6 when measured, the reference network by 5e-7."""

MOST_TOLERANCE = 1e-4
"""The same limit for a network whose scores in Keras are as far from float64; its bundle says how far."""

_WITHDRAWN = ("float16",)
"""Variants that older bundles have and nothing serves."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def sha256(data: bytes) -> str:
    """Return the SHA-256 of ``data`` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def variant_files(variant: str) -> tuple[str, ...]:
    """Return the names of the files that hold the network of a variant."""
    endings = ("param", "bin") if VARIANTS[variant] == "ncnn" else ("tflite",)
    return tuple(f"model.{variant}.{ending}" for ending in endings)


@dataclass(frozen=True, slots=True)
class FileFact:
    """Length and SHA-256 of one file of a bundle."""

    size: int
    sha256: str

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Return the facts of ``data``."""
        return cls(len(data), sha256(data))


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """A model without its weights.

    Attributes
    ----------
    name, version : str
        Together they name the bundle; a version never changes.
    description, license : str
        What it was trained on, and its licence.
    classes : tuple of str
        The network's outputs in order. A single sigmoid has one: the class its score is for.
    target_class : str
        The class whose events are looked for.
    more_targets : tuple of str
        Other classes whose events are looked for too, unless a user names classes.
    sample_rate : int or None
        The only sample rate the network fits, in Hz; None where it takes recordings at their own.
    input_shape : tuple of int
        Shape of one spectrogram.
    profile : Profile
        The preprocessing, every constant included, with window and hop.
    training, parity, compute : dict
        Metadata and metrics of the training; how far the engines were from Keras, and the difference of a golden score
        beyond which the model is refused; seconds per window on the machine that published it, for each variant.
    files : dict of str to FileFact
        The bundle's other files.
    engine : {"litert", "keras", "ncnn"}
        What serves it: ncnn where Winograd's algorithm spares multiplications, Keras where LiteRT cannot run it.
    multi_label : bool
        Whether each class has a score by itself (a sigmoid) instead of one share of all (a softmax).
    variants : dict of str to dict
        Of each variant how far it agrees with float32: windows compared, largest difference of a score, windows whose
        best class changed, F1 of its events, and the difference beyond which it is not served.
    decision : Decision
        The settings that turn its scores into events unless a user gives others; the lab's in older bundles.
    card : ModelCard
        What it has heard and how well it was measured; every result carries a line of it.
    """

    name: str
    version: str
    description: str
    license: str
    classes: tuple[str, ...]
    target_class: str
    sample_rate: int | None
    input_shape: tuple[int, ...]
    profile: Profile
    training: dict[str, Any]
    parity: dict[str, Any]
    compute: dict[str, Any]
    files: dict[str, FileFact]
    engine: str = ENGINES[0]
    multi_label: bool = False
    variants: dict[str, dict[str, Any]] = field(default_factory=dict)
    decision: Decision = LAB_DECISION
    card: ModelCard = NOT_STATED
    more_targets: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for word in (self.name, self.version):
            if not _NAME.fullmatch(word):
                raise InvalidBundle(
                    f"{word!r} cannot name a model or version; use lower-case letters, digits, '.', '_' and '-'"
                )
        if not self.classes or len(set(self.classes)) != len(self.classes):
            raise InvalidBundle(f"{self.title}: classes must be distinct and at least one, not {self.classes}")
        if self.target_class not in self.classes:
            raise InvalidBundle(
                f"{self.title}: target_class {self.target_class!r} is not among its classes {', '.join(self.classes)}"
            )
        if len({self.target_class, *self.more_targets} & {*self.classes}) <= len(self.more_targets):
            raise InvalidBundle(
                f"{self.title}: more_targets must be distinct classes besides {self.target_class!r}, not "
                f"{', '.join(self.more_targets)}"
            )
        for name, _ in self.decision.class_thresholds:
            if name not in self.classes:
                raise InvalidBundle(
                    f"{self.title}: its decision has a threshold of {name!r}, which is not among its classes "
                    f"{', '.join(self.classes)}"
                )
        if self.engine not in ENGINES:
            raise InvalidBundle(f"{self.title}: engine must be one of {', '.join(ENGINES)}, not {self.engine!r}")
        if self.engine == "ncnn" and WINOGRAD not in self.variants:
            raise InvalidBundle(f"{self.title}: served by ncnn, but without the variant {WINOGRAD}; publish it again")
        if self.sample_rate is not None:
            shape = self.profile.input_shape(self.sample_rate)
            if shape != self.input_shape:
                raise IncompatibleModel(
                    f"{self.title}: profile {self.profile.kind} makes {shape} (time first) at {self.sample_rate} Hz, "
                    f"but the network takes {self.input_shape}; check window_seconds and sample_rate"
                )

    @property
    def title(self) -> str:
        """``name version``, for messages and tables."""
        return f"{self.name} {self.version}"

    @property
    def tolerance(self) -> float:
        """Largest difference of a golden score at which the network is served."""
        return float(self.parity.get("tolerance", TOLERANCE))

    def profile_for(self, settings: Settings) -> Profile:
        """Return the profile with the window and hop that the settings ask for."""
        changed: dict[str, Any] = {}
        if settings.window_seconds is not None:
            changed["window_seconds"] = settings.window_seconds
        if settings.hop_seconds is not None:
            changed["hop_seconds"] = settings.hop_seconds
        return replace(self.profile, **changed) if changed else self.profile

    def decided(self, settings: Settings) -> Settings:
        """Return the settings with the model's target classes and decision where they name none."""
        own = (self.target_class, *self.more_targets) if self.more_targets else self.target_class
        return replace(self.decision.complete(settings), target_class=settings.target_class or own)

    def check_classes(self, settings: Settings) -> None:
        """Check that the classes that settings name are outputs of the network.

        Raises
        ------
        InvalidSettings
            One is none.
        """
        thresholds = settings.threshold if isinstance(settings.threshold, tuple) else ()
        for setting, names in (
            ("target_class", settings.target_classes),
            ("threshold", [name for name, _ in thresholds if name != EVERY_OTHER]),
        ):
            for name in names:
                if name not in self.classes:
                    raise InvalidSettings(
                        f"{setting} must be one of {', '.join(self.classes)} for {self.title}, not {name!r}"
                    )

    def to_json(self) -> bytes:
        """Return ``model.json``; the same spec always has the same bytes."""
        document = {
            "format": FORMAT,
            "name": self.name,
            "version": self.version,
            "description": self.description,
            "license": self.license,
            "classes": list(self.classes),
            "target_class": self.target_class,
            **({"more_targets": list(self.more_targets)} if self.more_targets else {}),
            "sample_rate": self.sample_rate,
            "input_shape": list(self.input_shape),
            "profile": self.profile.to_dict(),
            "decision": self.decision.to_dict(),
            "card": self.card.to_dict(),
            "training": self.training,
            "parity": self.parity,
            "compute": self.compute,
            "engine": self.engine,
            "multi_label": self.multi_label,
            "variants": self.variants,
            "files": {name: {"size": fact.size, "sha256": fact.sha256} for name, fact in sorted(self.files.items())},
        }
        return (json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()

    @classmethod
    def from_json(cls, data: bytes, where: str) -> Self:
        """Read ``model.json``.

        Raises
        ------
        InvalidBundle
            It is not JSON, of another format, or a field is missing, unknown or mistyped.
        """
        try:
            document: dict[str, Any] = json.loads(data)
            format_ = document.pop("format")
            if format_ != FORMAT:
                raise InvalidBundle(f"{where}: bundle format {format_!r} is not {FORMAT}; publish the model again")
            document["classes"] = tuple(document["classes"])
            document["input_shape"] = tuple(document["input_shape"])
            document["more_targets"] = tuple(document.get("more_targets", ()))
            document["profile"] = profile_from_dict(document["profile"])
            if "decision" in document:
                document["decision"] = Decision.from_dict(document["decision"])
            if "card" in document:
                document["card"] = ModelCard.from_dict(document["card"])
            else:  # a bundle never changes, so the cards of older ones lie in the package
                document["card"] = EARLIER_CARDS.get(sha256(data), NOT_STATED)
            _check_fields(document)
            for name in _WITHDRAWN:
                document.get("variants", {}).pop(name, None)
            document["files"] = {name: FileFact(**fact) for name, fact in document["files"].items()}
            return cls(**document)
        except (InvalidSettings, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise InvalidBundle(f"{where} is not a bundle's {MODEL_JSON} ({error}); publish the model again") from None


def _check_fields(document: dict[str, Any]) -> None:
    """Check the types of fields that are used late; raise :class:`TypeError` or :class:`ValueError`."""
    rate = document["sample_rate"]
    if rate is not None and (not isinstance(rate, int) or isinstance(rate, bool) or rate < 1):
        raise ValueError(f"sample_rate must be a whole number above 0 or null, not {rate!r}")
    for name in ("description", "license"):
        if not isinstance(document[name], str):
            raise TypeError(f"{name} must be text")
    for name in ("training", "parity", "compute", "variants"):
        if not isinstance(document.get(name, {}), dict):
            raise TypeError(f"{name} must be an object")
    if not isinstance(document.get("multi_label", False), bool):
        raise TypeError("multi_label must be true or false")
    if not 0 <= float(document["parity"].get("tolerance", 0)) <= MOST_TOLERANCE:
        raise ValueError(f"parity.tolerance must lie between 0 and {MOST_TOLERANCE:g}")
    for name, agreement in document.get("variants", {}).items():
        if name not in (*VARIANTS, *_WITHDRAWN) or not float(agreement["tolerance"]) >= 0:
            raise ValueError(f"a variant is one of {', '.join(VARIANTS)}, with its tolerance, not {name!r}")
    compute = document["compute"]
    for name in ("seconds_per_window", "seconds_per_range"):
        if not float(compute[name]) > 0:
            raise ValueError(f"compute.{name} must be above 0")
    if not all(float(seconds) > 0 for seconds in compute.get("variants", {}).values()):
        raise ValueError("compute.variants must be seconds of a window above 0")
