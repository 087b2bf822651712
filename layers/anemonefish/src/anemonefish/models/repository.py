"""Models in a store: names, versions and aliases.

Owns the keys ``{name}/{version}/...`` and ``{name}/{alias}.json`` and turning a reference (``reef``,
``reef@production``, ``reef@1.0.0``, ``reef@1.0.0+int8``) into a pinned model: name, version, hash, and what runs it;
``+litert`` means LiteRT for a network that ncnn serves. A loaded model has had the hash of every file it needs checked
and its golden example scored; what is not as published never serves.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

from anemonefish.errors import (
    IncompatibleModel,
    InvalidBundle,
    InvalidRequest,
    InvalidSettings,
    ModelNotFound,
    short_repr,
)
from anemonefish.models.bundle import (
    DEPLOYMENTS,
    ENGINES,
    GOLDEN,
    KERAS,
    LAYERS,
    LITERT,
    MODEL_JSON,
    VARIANTS,
    WINOGRAD,
    FileFact,
    ModelSpec,
    sha256,
    variant_files,
)
from anemonefish.models.engine import Model, Network
from anemonefish.models.golden import Golden, check_golden, check_preprocessing
from anemonefish.models.keras import KerasNetwork
from anemonefish.models.litert import LiteRtNetwork
from anemonefish.models.model_names import ALIASES
from anemonefish.models.ncnn import NcnnNetwork
from anemonefish.stores import Store, open_store

__all__ = ["ALIASES", "CatalogEntry", "ModelRepository", "PinnedModel", "ready_model"]

_REMEMBERED = 20
"""Former versions of an alias that can be gone back to."""

_REFERENCE = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9._-]*)(@(?P<version>[a-z0-9][a-z0-9._-]*))?(\+(?P<variant>[a-z0-9]+))?"
)


@dataclass(frozen=True, slots=True)
class PinnedModel:
    """Exactly one network and what runs it: what a reference meant when the job was planned.

    Attributes
    ----------
    name, version : str
    hash : str
        SHA-256 of the bundle's ``model.json``.
    engine : {"litert", "keras", "ncnn"}
        They agree to within 1e-5, not to the last bit, so a job keeps to one.
    variant : str or None
        What was asked for by name instead of the network as it was trained.
    """

    name: str
    version: str
    hash: str
    engine: str = ENGINES[0]
    variant: str | None = None

    @property
    def reference(self) -> str:
        """``name@version``, and ``+variant`` where there is one."""
        return f"{self.name}@{self.version}" + (f"+{self.variant}" if self.variant else "")

    def to_dict(self) -> dict[str, str | None]:
        """Return the fields as JSON-ready names and values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: Any) -> PinnedModel:
        """Read :meth:`to_dict`'s answer back; what was pinned before there were engines ran on LiteRT."""
        try:
            name, version, found = (str(document[key]) for key in ("name", "version", "hash"))
            engine, variant = document.get("engine", ENGINES[0]), document.get("variant")
        except (TypeError, KeyError, AttributeError):
            raise InvalidRequest(f"a pinned model needs name, version and hash, not {short_repr(document)}") from None
        if engine not in (ENGINES if variant is None else (VARIANTS.get(variant),)):
            runs = f"{', '.join(ENGINES)}, or what runs its variant"
            raise InvalidRequest(f"a pinned model's engine is one of {runs}, not {short_repr(engine)}")
        return cls(name, version, found, engine, variant)


@dataclass(frozen=True, slots=True)
class _Pointer:
    """What an alias means, and what it meant before, the latest last."""

    version: str
    before: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """A model with its versions, and what each alias means."""

    name: str
    versions: tuple[str, ...]
    aliases: dict[str, str]


class ModelRepository:
    """The models in one store.

    Parameters
    ----------
    store : Store
        Where they lie.
    engine : {"litert", "keras"}, optional
        What is deployed here: ``keras`` runs every network by Keras, ``litert`` has no Keras. ``ANEMONEFISH_ENGINE``
        unless given, and each bundle's own engine where nothing says.
    """

    def __init__(self, store: Store, engine: str | None = None) -> None:
        self._store = store
        self._deployed = engine or os.environ.get("ANEMONEFISH_ENGINE") or None

    @property
    def store(self) -> Store:
        """Where the models lie."""
        return self._store

    def catalog(self) -> list[CatalogEntry]:
        """Return every model with its versions and aliases, by name."""
        versions: dict[str, list[str]] = {}
        aliases: dict[str, dict[str, str]] = {}
        for key in self._store.keys(""):
            name, *rest = key.split("/")
            if len(rest) == 2 and rest[1] == MODEL_JSON:
                versions.setdefault(name, []).append(rest[0])
            elif len(rest) == 1 and rest[0].removesuffix(".json") in ALIASES:
                alias = rest[0].removesuffix(".json")
                aliases.setdefault(name, {})[alias] = self._alias(name, alias)
        return [CatalogEntry(name, tuple(sorted(found)), aliases.get(name, {})) for name, found in versions.items()]

    def pin(self, reference: str) -> PinnedModel:
        """Resolve ``name``, ``name@alias`` or ``name@version``, with ``+variant`` behind it for other arithmetic.

        ``+litert`` is the network itself, run by LiteRT whatever serves it by default.

        Raises
        ------
        InvalidRequest
            The reference is malformed.
        ModelNotFound
            There is no such model, version, alias or variant.
        InvalidBundle
            The bundle is not one.
        IncompatibleModel
            Only Keras runs the network, and this place has LiteRT.
        """
        match = _REFERENCE.fullmatch(reference)
        if match is None:
            raise InvalidRequest(f"{reference!r} is not a model; write name, name@alias or name@version")
        name, version = match["name"], match["version"] or ALIASES[0]
        if version in ALIASES:
            version = self._alias(name, version)
        data = self._read_spec(name, version)
        spec = ModelSpec.from_json(data, f"model {name} {version}")
        variant = None if match["variant"] == ENGINES[0] else match["variant"]
        return PinnedModel(name, version, sha256(data), self._engine(spec, match["variant"]), variant)

    def _engine(self, spec: ModelSpec, variant: str | None) -> str:
        if self._deployed not in {None, *DEPLOYMENTS}:
            raise InvalidSettings(f"ANEMONEFISH_ENGINE must be one of {', '.join(DEPLOYMENTS)}, not {self._deployed!r}")
        if variant == ENGINES[0]:
            if LITERT not in spec.files:
                raise IncompatibleModel(f"{spec.title} is run by Keras, LiteRT cannot; ask for it without +litert")
            return variant
        if variant is not None:
            if variant not in spec.variants:
                has = ", ".join(spec.variants) or "none"
                raise ModelNotFound(
                    f"{spec.title} has no variant {variant!r}, it has {has}; publish one with --variant"
                )
            return VARIANTS[variant]
        if spec.engine == "keras" and self._deployed == "litert":
            raise IncompatibleModel(
                f"{spec.title} is run by Keras and LiteRT is deployed here; deploy with Engine=keras (docs/deploy.md)"
            )
        return "keras" if self._deployed == "keras" else spec.engine

    def spec(self, pinned: PinnedModel) -> ModelSpec:
        """Return the spec of a pinned model.

        Raises
        ------
        ModelNotFound, InvalidBundle
            The bundle is gone, altered since it was pinned, or not a bundle.
        """
        data = self._read_spec(pinned.name, pinned.version)
        where = f"model {pinned.name} {pinned.version}"
        if sha256(data) != pinned.hash:
            raise InvalidBundle(
                f"{where}: {MODEL_JSON} is not the one that was pinned; versions never change, restore it"
            )
        spec = ModelSpec.from_json(data, where)
        if (spec.name, spec.version) != (pinned.name, pinned.version):
            raise InvalidBundle(
                f"{where}: its {MODEL_JSON} is that of {spec.title}; the folder was renamed or mixed up"
            )
        return spec

    def read_file(self, spec: ModelSpec, name: str) -> bytes:
        """Return a file of a bundle; raise :class:`InvalidBundle` unless it is the one that was published."""
        try:
            data = self._store.read(f"{spec.name}/{spec.version}/{name}")
        except FileNotFoundError:
            raise InvalidBundle(f"model {spec.title}: {name} is missing; publish the model again") from None
        published = spec.files.get(name)
        if published != FileFact.of(data):
            raise InvalidBundle(
                f"model {spec.title}: {name} is not the file that was published (wrong SHA-256); restore it"
            )
        return data

    def load(self, pinned: PinnedModel) -> Model:
        """Load a model ready to serve: hashes checked, golden example scored.

        Raises
        ------
        ModelNotFound, InvalidBundle, IncompatibleModel, ParityError
            The bundle may not serve, and why.
        """
        return self._proven(pinned)[0]

    def verify(self, reference: str) -> tuple[ModelSpec, float]:
        """Check every file of a bundle and its golden scores; return the spec and the largest difference."""
        pinned = self.pin(reference)
        spec = self.spec(pinned)
        for name in spec.files:
            self.read_file(spec, name)
        for variant in spec.variants:
            if pinned.engine != "ncnn" or variant != WINOGRAD:  # the same files
                self._proven(replace(pinned, engine=VARIANTS[variant], variant=variant))
        if pinned.engine == "ncnn":
            self._proven(replace(pinned, engine=ENGINES[0]))  # what takes over where ncnn fails
        return spec, self._proven(pinned)[1]

    def _proven(self, pinned: PinnedModel) -> tuple[Model, float]:
        """Load a model and score its golden example; Keras brings librosa along, which then makes them too."""
        spec = self.spec(pinned)
        golden = Golden.from_bytes(self.read_file(spec, GOLDEN), f"model {spec.title}")
        model = Model(spec, self._network(spec, pinned), pinned.engine)
        if pinned.engine == "keras":
            check_preprocessing(spec, golden)
        tolerance = spec.tolerance if pinned.variant is None else float(spec.variants[pinned.variant]["tolerance"])
        return model, check_golden(model, golden, tolerance)

    def _network(self, spec: ModelSpec, pinned: PinnedModel) -> Network:
        if pinned.engine == "keras":
            layers = self.read_file(spec, LAYERS) if LAYERS in spec.files else None
            return KerasNetwork.of_bundle(spec.title, self.read_file(spec, KERAS), layers)
        if pinned.engine == "ncnn":
            layers, weights = (self.read_file(spec, name) for name in variant_files(WINOGRAD))
            return NcnnNetwork(spec.title, layers, weights)
        name = LITERT if pinned.variant is None else variant_files(pinned.variant)[0]
        return LiteRtNetwork(spec.title, self.read_file(spec, name), name)

    def set_alias(self, name: str, alias: str, version: str) -> None:
        """Let ``alias`` mean ``version``, which must exist; remember what it meant before."""
        if alias not in ALIASES:
            raise InvalidRequest(f"{alias!r} is not an alias; use {' or '.join(ALIASES)}")
        self._read_spec(name, version)
        try:
            former = self._pointer(name, alias)
        except (ModelNotFound, InvalidBundle):  # none yet, or one that is mended by being set
            former = _Pointer(version)
        before = former.before if former.version == version else (*former.before, former.version)
        self._point(name, alias, _Pointer(version, before[-_REMEMBERED:]))

    def promote(self, name: str, version: str, alias: str) -> float:
        """Let ``alias`` mean ``version`` once that was verified; return the largest difference of its golden scores.

        Raises
        ------
        ModelNotFound, InvalidBundle, IncompatibleModel, ParityError
            The bundle may not serve, and why; the alias stays what it was.
        """
        _, difference = self.verify(f"{name}@{version}")
        self.set_alias(name, alias, version)
        return difference

    def rollback(self, name: str, alias: str) -> str:
        """Let ``alias`` mean again what it meant before, once that was verified; return the version.

        Raises
        ------
        ModelNotFound
            There is no such alias, or it never meant anything else.
        InvalidBundle, IncompatibleModel, ParityError
            The former bundle may not serve, and why; the alias stays what it was.
        """
        pointer = self._pointer(name, alias)
        if not pointer.before:
            raise ModelNotFound(
                f"{name}@{alias} has meant {pointer.version} from the first, so there is nothing to go back to; let it "
                f"mean another version with: anemonefish models promote {name} VERSION --alias {alias}"
            )
        former = pointer.before[-1]
        self.verify(f"{name}@{former}")
        self._point(name, alias, _Pointer(former, pointer.before[:-1]))
        return former

    def _alias(self, name: str, alias: str) -> str:
        return self._pointer(name, alias).version

    def _pointer(self, name: str, alias: str) -> _Pointer:
        try:
            document = json.loads(self._store.read(f"{name}/{alias}.json"))
            return _Pointer(str(document["version"]), tuple(map(str, document.get("before", ()))))
        except FileNotFoundError:
            raise ModelNotFound(self._nothing(f"model {name!r} with the alias {alias!r}")) from None
        except (ValueError, TypeError, KeyError, AttributeError):
            raise InvalidBundle(f"alias {name}@{alias} is not a JSON object with a version; set it again") from None

    def _point(self, name: str, alias: str, pointer: _Pointer) -> None:
        document = {"version": pointer.version} | ({"before": list(pointer.before)} if pointer.before else {})
        self._store.write(f"{name}/{alias}.json", json.dumps(document).encode() + b"\n")

    def _read_spec(self, name: str, version: str) -> bytes:
        try:
            return self._store.read(f"{name}/{version}/{MODEL_JSON}")
        except FileNotFoundError:
            raise ModelNotFound(self._nothing(f"model {name!r} version {version!r}")) from None

    def _nothing(self, what: str) -> str:
        return f"there is no {what} in {self._store.uri}; publish it there, or name another"


@lru_cache(maxsize=2)
def ready_model(store_uri: str, pinned: PinnedModel) -> Model:
    """Return a model that is loaded and verified once per process, however many ranges it scores."""
    return ModelRepository(open_store(store_uri)).load(pinned)
