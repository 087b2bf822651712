"""Score calibrations: what the scores of a model are worth at a site, as ``anemonefish calibrate-scores`` fitted them.

A calibration is stored beside the versions of the model, because a published version never changes, and under the hash
of its bundle, so that another version never uses it::

    {name}/calibrations/scores/{first 16 digits of the hash}/{site}.json          the one in use
    {name}/calibrations/scores/{first 16 digits of the hash}/{site}/{id}.json     every one that was in use

A calibration without a site is stored as ``any``. A plan holds the whole calibration, so a job uses the one it was
planned with, whatever is stored later.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from anemonefish.canonical import digest, dump_json
from anemonefish.errors import InvalidBundle, InvalidSettings
from anemonefish.models.bundle import ModelSpec
from anemonefish.models.repository import ModelRepository, PinnedModel
from anemonefish.notes import Note
from anemonefish.probability.density import CallDensity
from anemonefish.probability.logistic import LogisticCurve
from anemonefish.probability.precision import PrecisionThreshold
from anemonefish.settings import Settings

__all__ = [
    "CurvePoint",
    "JudgedStratum",
    "ScoreCalibration",
    "ScoreScale",
    "calibrated_sites",
    "check_site",
    "fitting",
    "read_score_calibration",
    "write_score_calibration",
]

_SITE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ANY = "any"
_SCALE_SETTINGS = ("target_class", "median_windows", "window_seconds", "hop_seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreScale:
    """What must be equal for two scores to mean the same: the network, its windows, the class and the smoothing.

    Attributes
    ----------
    hash : str
        SHA-256 of the bundle's ``model.json``.
    variant : str or None
        The variant of the network, which may score differently.
    target_class : str
    median_windows : int
        Length of the median filter.
    window_seconds, hop_seconds : float
    """

    hash: str
    variant: str | None
    target_class: str
    median_windows: int
    window_seconds: float
    hop_seconds: float

    @classmethod
    def of(cls, spec: ModelSpec, model: PinnedModel, settings: Settings, label: str | None = None) -> Self:
        """Return the scale of the results that a model gives with these settings.

        Of several target classes it is that of ``label`` if it is one of them, else that of the first.
        """
        profile, decided = spec.profile_for(settings), spec.decided(settings)
        targets = decided.target_classes
        return cls(
            hash=model.hash,
            variant=model.variant,
            target_class=label if label is not None and label in targets else targets[0],
            median_windows=int(decided.median_windows or 1),
            window_seconds=profile.window_seconds,
            hop_seconds=profile.hop_seconds,
        )

    def changed_settings(self, spec: ModelSpec, model: PinnedModel) -> dict[str, Any]:
        """Return the settings of this scale that are not the model's own, by name."""
        own = asdict(self.of(spec, model, Settings()))
        return {name: value for name, value in asdict(self).items() if name in _SCALE_SETTINGS and value != own[name]}

    def differences(self, other: Self) -> str:
        """Return what differs in words, for example ``median_windows 3 instead of 5``; empty where nothing does."""
        here, there = asdict(self), asdict(other)
        return ", ".join(f"{name} {there[name]} instead of {here[name]}" for name in here if here[name] != there[name])


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """The probability of a score and its interval."""

    score: float
    probability: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class JudgedStratum:
    """What was judged in one stratum, beside what the curve says of it.

    Attributes
    ----------
    name : str
    units, judged, yes : int
        Units of the stratum, those with a usable verdict, and those of them with a call.
    probability : float
        Mean probability of the judged units; close to ``yes / judged`` where the curve fits.
    """

    name: str
    units: int
    judged: int
    yes: int
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreCalibration:
    """What the scores of a model are worth, by the verdicts on one review.

    Attributes
    ----------
    model : str
        ``name@version``, with the variant if there is one.
    scale : ScoreScale
        The scores that it is about.
    site : str or None
        None where no site was named.
    curve : LogisticCurve
        From the score to the probability that an event is right.
    review : str
        The draw that was judged.
    yes, no, unsure : int
        Units by verdict; units whose reviewers differ count as unsure.
    recordings, reviewers : int
        How many.
    judged_at : str
        When the last verdict was given: UTC, ISO 8601.
    resampled : {"recordings", "verdicts"}
        What the intervals were resampled over.
    points : tuple of CurvePoint
        The curve with its intervals, for people.
    strata : tuple of JudgedStratum
        The strata with a usable verdict.
    precision : PrecisionThreshold or None
        The threshold for a wanted precision.
    density : CallDensity or None
        Calls per hour of the reviewed recordings; None where a stratum has no verdict.
    counted : bool
        Whether the reviewers counted the calls of every unit with calls; else each such unit is one call.
    """

    model: str
    scale: ScoreScale
    site: str | None
    curve: LogisticCurve
    review: str
    yes: int
    no: int
    unsure: int
    recordings: int
    reviewers: int
    judged_at: str
    resampled: str
    points: tuple[CurvePoint, ...] = ()
    strata: tuple[JudgedStratum, ...] = ()
    precision: PrecisionThreshold | None = None
    density: CallDensity | None = None
    counted: bool = False

    @property
    def verdicts(self) -> int:
        """Verdicts that the curve was fitted to."""
        return self.yes + self.no

    @property
    def id(self) -> str:
        """12 hexadecimal digits that depend on everything in it."""
        return digest(asdict(self))[:12]

    def for_decision(self, settings: Settings) -> Self | None:
        """Return it, or None where the same scores are decided for another class or with another smoothing."""
        is_target = self.scale.target_class in settings.target_classes
        return self if is_target and self.scale.median_windows == settings.median_windows else None

    def unused_note(self, scale: ScoreScale) -> Note | None:
        """Return why results on this scale get no probability from it, or None where they do."""
        if not (differences := self.scale.differences(scale)):
            return None
        return Note(
            "calibration-unused",
            f"the calibration {self.id} of the scores is not for these results ({differences}), so its events have no "
            f"probability; review results that were decided so, and calibrate again",
            {"calibration": self.id},
        )

    def probability_of(self, label: str, score: float) -> float | None:
        """Return the probability of an event with this highest score; None for events of another class."""
        return self.probability(score) if label == self.scale.target_class else None

    def probability(self, score: float) -> float:
        """Return the probability that an event with this highest score is right, to six decimals."""
        return round(float(self.curve.probability(score)), 6)

    def summary(self) -> dict[str, Any]:
        """Return which calibration this is, for the metadata of a result."""
        return {
            "id": self.id,
            "site": self.site,
            "verdicts": self.verdicts,
            "judged_at": self.judged_at,
            "intercept": self.curve.intercept,
            "slope": self.curve.slope,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the names and values, JSON-ready."""
        return {
            "id": self.id,
            **asdict(self),
            "points": list(map(asdict, self.points)),
            "strata": list(map(asdict, self.strata)),
        }

    @classmethod
    def of_plan(cls, document: Any) -> Self | None:
        """Read the calibration of ``plan.json``; None where it has none."""
        return None if document is None else cls.from_dict(document, "the calibration of plan.json")

    @classmethod
    def from_dict(cls, document: Any, where: str) -> Self:
        """Read :meth:`to_dict`.

        Raises
        ------
        InvalidBundle
            It is no calibration, or it was changed after it was made; the message names ``where``.
        """
        try:
            fields: dict[str, Any] = dict(document)
            stated = fields.pop("id")
            made = cls(
                **{
                    **fields,
                    "scale": ScoreScale(**fields["scale"]),
                    "curve": LogisticCurve(**fields["curve"]),
                    "points": tuple(CurvePoint(**point) for point in fields["points"]),
                    "strata": tuple(JudgedStratum(**stratum) for stratum in fields["strata"]),
                    "precision": _read(PrecisionThreshold, fields["precision"]),
                    "density": _read(CallDensity, fields["density"]),
                }
            )
            if made.id == stated and made.curve.slope > 0:
                return made
        except (ValueError, TypeError, KeyError, AttributeError):
            pass
        raise InvalidBundle(
            f"{where} is not a calibration of scores, or it was changed; run anemonefish calibrate-scores again, or "
            f"delete it"
        )


def fitting(
    calibration: ScoreCalibration | None, spec: ModelSpec, model: PinnedModel, settings: Settings
) -> ScoreCalibration | None:
    """Return the calibration if it is for the scores of this model with these settings, else None."""
    if calibration is None:
        return None
    scale = ScoreScale.of(spec, model, settings, calibration.scale.target_class)
    return None if calibration.unused_note(scale) else calibration


def _read(kind: Any, fields: Mapping[str, Any] | None) -> Any:
    return None if fields is None else kind(**fields)


def check_site(site: str | None) -> None:
    """Raise :class:`InvalidSettings` for a name that cannot be the name of a site."""
    if site is not None and (site == _ANY or not _SITE.fullmatch(site)):
        raise InvalidSettings(
            f"site must be a name of up to 64 letters, digits, '.', '_' and '-', and not {_ANY!r}, not {site!r}"
        )


def read_score_calibration(models: ModelRepository, model: PinnedModel, site: str | None) -> ScoreCalibration | None:
    """Return the calibration of a model for a site, or None where there is none without a site.

    Parameters
    ----------
    models : ModelRepository
    model : PinnedModel
    site : str or None
        None: the calibration that was made without a site.

    Raises
    ------
    InvalidSettings
        There is no calibration for the site. The message names no other site, because its reader may be another tenant.
    InvalidBundle
        The file is damaged, or belongs to another bundle.
    """
    check_site(site)
    key = _key(model, site)
    where = f"{models.store.uri}/{key}"
    try:
        document = json.loads(models.store.read(key))
    except FileNotFoundError:
        if site is None:
            return None
        raise InvalidSettings(
            f"{model.reference} has no calibration for the site {site!r}; leave site out, or make one with: "
            f"anemonefish calibrate-scores RESULTS --site {site}"
        ) from None
    except (ValueError, RecursionError):
        document = None
    calibration = ScoreCalibration.from_dict(document, where)
    if (calibration.scale.hash, calibration.site) != (model.hash, site):
        raise InvalidBundle(
            f"{where} is of another bundle or site; run anemonefish calibrate-scores again, or delete it"
        )
    return calibration


def write_score_calibration(models: ModelRepository, model: PinnedModel, calibration: ScoreCalibration) -> str:
    """Store a calibration for its site, in place of an earlier one, and return its URI; the earlier one is kept."""
    check_site(calibration.site)
    key, data = _key(model, calibration.site), dump_json(calibration.to_dict())
    models.store.write(f"{key.removesuffix('.json')}/{calibration.id}.json", data)
    models.store.write(key, data)
    return f"{models.store.uri}/{key}"


def calibrated_sites(models: ModelRepository, model: PinnedModel) -> tuple[str, ...]:
    """Return the sites for which this version of the model has a calibration."""
    prefix = _folder(model)
    names = (key.removeprefix(prefix) for key in models.store.keys(prefix))
    sites = (name.removesuffix(".json") for name in names if name.endswith(".json") and "/" not in name)
    return tuple(sorted(site for site in sites if site != _ANY))


def _folder(model: PinnedModel) -> str:
    return f"{model.name}/calibrations/scores/{model.hash[:16]}/"


def _key(model: PinnedModel, site: str | None) -> str:
    return f"{_folder(model)}{site or _ANY}.json"
