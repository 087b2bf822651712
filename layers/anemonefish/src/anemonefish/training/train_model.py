"""Train a model: recordings and labels become a published bundle and a report.

The test recordings are opened when everything is chosen: network, thresholds, median filter. Before that only their
headers and labels are read, to divide the recordings.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from anemonefish.audio.reader import open_audio
from anemonefish.errors import InvalidRequest, InvalidSettings, RecordingError
from anemonefish.models.bundle import MODEL_JSON, ModelSpec
from anemonefish.models.repository import ModelRepository
from anemonefish.publishing.publish import PublishRequest, publish
from anemonefish.stores.folder import LocalStore
from anemonefish.training.audio_cache import CachedAudio, cache_audio
from anemonefish.training.choose_decision import choose_decision
from anemonefish.training.cross_fitting import FitOf, Fitted, cross_fit
from anemonefish.training.embedding_head import Trunk, fit_head, load_trunk
from anemonefish.training.fit import fit_network
from anemonefish.training.held_out import figures_of
from anemonefish.training.keras_setup import prepare_keras
from anemonefish.training.labelled_recordings import LabelledRecording, LeftOut, Material, find_material, limited
from anemonefish.training.ledger_file import write_ledger
from anemonefish.training.network import make_network
from anemonefish.training.network_input import NetworkInput, choose_input
from anemonefish.training.recording_split import Split, split_recordings
from anemonefish.training.scored_recordings import ScoredRecording, score_recording, scorer
from anemonefish.training.training_options import TrainingOptions
from anemonefish.training.training_record import TrainingRecord
from anemonefish.training.training_report import write_report
from anemonefish.training.window_examples import WindowPool
from anemonefish.workflow.folder_lock import FolderLock

__all__ = ["Progress", "TrainedModel", "TrainingRequest", "train_model"]

_JOURNAL = ".training"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_FORMAT = 2
"""Of checkpoints; a new one makes old ones unusable."""

_Cached = tuple[LabelledRecording, CachedAudio]

Progress = Callable[[str, int, int], None]
"""Called with the name of a step, what is done of it, and all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRequest:
    """What is to be trained, and what the model is to be called.

    Attributes
    ----------
    recordings : tuple of str
        Files, or folders of them.
    labels : Path
    out : Path
        Folder of models.
    name : str or None
        The target class unless given.
    version : str or None
        The first that is free, of 1.0.0, 1.1.0 and so on, unless given.
    options : TrainingOptions
    trunk : (ModelRepository, str)
        The model behind which ``few`` trains a linear layer.
    description, license : str
        Of the bundle.
    """

    recordings: tuple[str, ...]
    labels: Path
    out: Path
    name: str | None
    version: str | None
    options: TrainingOptions
    trunk: tuple[ModelRepository, str]
    description: str = ""
    license: str = ""


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A model that was trained and published.

    Attributes
    ----------
    spec : ModelSpec
    record : TrainingRecord
    report, ledger : Path
    """

    spec: ModelSpec
    record: TrainingRecord
    report: Path
    ledger: Path


def train_model(request: TrainingRequest, progress: Progress) -> TrainedModel:
    """Train, choose, test, publish and report.

    Raises
    ------
    InvalidRequest, InvalidSettings
        Recordings and labels are not enough, or do not belong together, or the version exists.
    RecordingNotFound
        There is no recording.
    StorageError
        Another training writes into the folder.
    """
    options = request.options
    progress("reading labels", 0, 1)
    material = find_material(request.recordings, request.labels, options)
    split = split_recordings(material.recordings, material.meanings.classes, options.split_by, options.seed)
    name = request.name or _slug(material.meanings.target)
    version = _free_version(request.out, name, request.version)
    progress("reading labels", 1, 1)
    prepare_keras(options.seed, options.threads)
    with _workplace(request.out) as workplace:
        training = _Training(request, material, split, workplace, progress)
        network, record, scored = training.run()
        folder = training.folder
        network_file, metadata = folder / "model.keras", folder / "model_config.yaml"
        network.save(network_file)
        metadata.write_text(json.dumps(record.to_dict(), ensure_ascii=False, indent=1), encoding="utf-8")  # also YAML
        progress("publishing", 0, 1)
        spec = publish(
            PublishRequest(
                keras=network_file,
                name=name,
                version=version,
                profile=record.input.profile,
                classes=record.classes,
                target_class=material.meanings.target,
                more_targets=options.more_targets,
                sample_rate=record.input.sample_rate,
                metadata=metadata,
                audio=_comparable(split.training, record.classes.index(material.meanings.target)),
                activation="sigmoid",
                decision=record.decided.decision,
                card=record.card(),
                description=record.description(request.description),
                license=request.license,
            ),
            ModelRepository(LocalStore(request.out)),
        )
        progress("publishing", 1, 1)
        report, ledger = (request.out / name / f"{version}.{ending}" for ending in ("report.html", "ledger.csv"))
        write_ledger(ledger, record)
        write_report(report, spec, record, scored, progress)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(workplace / "audio", ignore_errors=True)
    return TrainedModel(spec, record, report, ledger)


class _Training:
    """One training: its recordings, its folder, and what is left out on the way."""

    def __init__(
        self, request: TrainingRequest, material: Material, split: Split, workplace: Path, progress: Progress
    ) -> None:
        self._request, self._options = request, request.options
        self._material, self._split = material, split
        self._progress = progress
        self._audio = workplace / "audio"
        self._left_out = list(material.left_out)
        self.folder = workplace / _key(request, material)
        self.folder.mkdir(parents=True, exist_ok=True)

    def run(self) -> tuple[Any, TrainingRecord, list[ScoredRecording]]:
        """Return the network, its record, and the scored test recordings."""
        options, meanings = self._options, self._material.meanings
        trunk = None if options.few is None else load_trunk(*self._request.trunk, options)
        learned = self._split.training
        heard = choose_input(learned, options) if trunk is None else trunk.input
        if options.few is not None:
            learned = tuple(limited(learned, len(meanings.classes), options.few, options.seed))
        as_learned = {each.name: each for each in learned}
        cached = self._cached("training", self._split.training, heard)
        by_name = {recording.name: (recording, audio) for recording, audio in cached}
        folds = [[by_name[each.name] for each in fold if each.name in by_name] for fold in self._split.folds]
        folds = [fold for fold in folds if fold]
        if len(folds) < 2:
            reasons = "; ".join(f"{each.name}: {each.reason}" for each in self._left_out[-3:])
            raise InvalidRequest(f"too few recordings can be read to choose a threshold; label more ({reasons})")
        windows: list[list[int]] = []

        def training_pool(recordings: Sequence[_Cached]) -> WindowPool:
            pool = self._pool([(as_learned[recording.name], audio) for recording, audio in recordings], heard)
            windows.append(self._checked(pool))
            return pool

        fitted = cross_fit(
            folds,
            training_pool,
            lambda recordings: self._pool(recordings, heard),
            self._fit(trunk, heard),
            lambda network, recordings: self._scored("held-out", recordings, scorer(network, heard.shape), heard),
        )
        decided = choose_decision(
            fitted.scored, meanings.classes, meanings.classes.index(meanings.target), options.precision
        )
        # Everything is chosen; only now are the test recordings opened.
        tested = self._cached("test", self._split.test, heard)
        scored = self._scored("test", tested, scorer(fitted.network, heard.shape), heard)
        record = TrainingRecord(
            material=replace(self._material, left_out=tuple(self._left_out)),
            split=Split(
                self._split.by,
                folds=tuple(tuple(recording for recording, _ in fold) for fold in folds if fold),
                test=tuple(recording for recording, _ in tested),
            ),
            input=heard,
            options=options,
            fitted=fitted,
            decided=decided,
            figures=figures_of(scored, meanings.classes, decided),
            trunk="" if trunk is None else trunk.title,
            windows={"training": windows[-1]},
        )
        return fitted.network, record, scored

    def _fit(self, trunk: Trunk | None, heard: NetworkInput) -> FitOf:
        def fit(name: str, training: WindowPool, held_out: WindowPool | None, *, epochs: int | None = None) -> Fitted:
            step = f"training: {name}"
            if trunk is not None:
                self._progress(step, 0, 1)
                heads = fit_head(trunk, training, held_out)
                self._progress(step, 1, 1)
                return heads
            return fit_network(
                make_network(heard.shape, training.classes),
                training,
                held_out,
                self._options,
                self.folder / name.replace(" ", "-"),
                lambda done, total: self._progress(step, done, total),
                epochs=epochs,
            )

        return fit

    def _cached(self, part: str, recordings: Sequence[LabelledRecording], heard: NetworkInput) -> list[_Cached]:
        """Decode recordings; one that cannot be decoded, or is shorter than a window, is left out with the reason."""
        cached = []
        window = heard.profile.grid(0, heard.sample_rate).window
        for number, recording in enumerate(recordings):
            self._progress(f"reading {part} recordings", number, len(recordings))
            try:
                audio = cache_audio(recording, heard, self._options.channel, self._audio)
            except RecordingError as error:
                self._left_out.append(LeftOut(recording.name, str(error)))
                continue
            if audio.n_samples < window:
                self._left_out.append(LeftOut(recording.name, "it is shorter than a window"))
                continue
            cached.append((recording, audio))
        self._progress(f"reading {part} recordings", len(recordings), len(recordings))
        if not cached:
            reasons = "; ".join(f"{each.name}: {each.reason}" for each in self._left_out[-3:])
            raise InvalidRequest(f"no {part} recording can be read: {reasons}")
        return cached

    def _pool(self, recordings: Sequence[_Cached], heard: NetworkInput) -> WindowPool:
        return WindowPool(
            [recording for recording, _ in recordings],
            [audio for _, audio in recordings],
            heard,
            self._options,
            len(self._material.meanings.classes),
        )

    def _checked(self, pool: WindowPool) -> list[int]:
        """Return how many windows hold each class; raise :class:`InvalidRequest` where nothing can be learned."""
        for label, count in zip(self._material.meanings.classes, pool.counts(), strict=True):
            if not count:
                raise InvalidRequest(
                    f"no window of {', '.join(each.name for each in pool.recordings)} holds {label!r}, although it is "
                    f"labelled there; are the labels where the calls are? A smaller --overlap (now "
                    f"{self._options.overlap:g}) takes windows with less of a call"
                )
        if not len(pool.negative):
            raise InvalidRequest(
                "every window of the training recordings holds a class or is ignored, so there is nothing to tell the "
                "classes from; label some stretches as noise, or say --stretches negative if all calls are labelled"
            )
        return pool.counts()

    def _scored(
        self,
        part: str,
        recordings: Sequence[_Cached],
        score: Any,
        heard: NetworkInput,
    ) -> list[ScoredRecording]:
        scored = []
        only_labelled = self._options.stretches == "ignore"
        for number, (recording, audio) in enumerate(recordings):
            self._progress(f"scoring {part} recordings", number, len(recordings))
            scored.append(score_recording(score, recording, audio, heard, only_labelled=only_labelled))
        self._progress(f"scoring {part} recordings", len(recordings), len(recordings))
        return scored


@contextmanager
def _workplace(out: Path) -> Iterator[Path]:
    """Lock the folder for cached audio and checkpoints; it is removed when it is empty at the end."""
    workplace = out / _JOURNAL
    workplace.mkdir(parents=True, exist_ok=True)
    lock = FolderLock(out, _JOURNAL)
    lock.acquire()
    try:
        yield workplace
    finally:
        lock.release()
        with suppress(OSError):
            workplace.rmdir()


def _key(request: TrainingRequest, material: Material) -> str:
    """Return the name of the folder of this training: the same for the same recordings, labels and options."""
    options = asdict(request.options)
    del options["threads"]
    recordings = [
        [each.name, each.content, [[label.start, label.stop, label.meaning, label.high_hz] for label in each.labels]]
        for each in material.recordings
    ]
    document = json.dumps(
        [_FORMAT, options, material.meanings.classes, recordings, request.trunk[1]], sort_keys=True, default=str
    )
    return hashlib.sha256(document.encode()).hexdigest()[:16]


def _slug(target: str) -> str:
    return re.sub(r"[^a-z0-9._-]+", "-", target.lower()).strip("-._")[:64] or "model"


def _free_version(out: Path, name: str, version: str | None) -> str:
    """Return the version to publish; raise :class:`InvalidRequest` where it exists, before anything is trained."""
    for word in (name, version or "1"):
        if not _NAME.fullmatch(word):
            raise InvalidSettings(
                f"{word!r} cannot name a model or version; use lower-case letters, digits, '.', '_' and '-'"
            )
    if version is None:
        return next(v for v in (f"1.{minor}.0" for minor in range(10_000)) if not (out / name / v).exists())
    if (out / name / version / MODEL_JSON).exists():
        raise InvalidRequest(f"{name} {version} is published and versions never change; choose another --version")
    return version


def _comparable(recordings: Sequence[LabelledRecording], target: int) -> str | None:
    """Return a recording with an early call that is read without transcoding, to compare engines on; or None."""

    def first_call(recording: LabelledRecording) -> float:
        return min((label.start for label in recording.labels if label.meaning == target), default=np.inf)

    for recording in sorted(recordings, key=first_call):
        with suppress(RecordingError), open_audio(recording.uri):
            return recording.uri
    return None
