"""Models in a store: names, versions and aliases.

A model lies under ``{name}/{version}/...``, an alias under ``{name}/{alias}.json``. A reference (``reef``,
``reef@production``, ``reef@1.0.0``, ``reef@1.0.0+int8``) is resolved to a pinned model: name, version, hash and engine;
``+litert`` asks for LiteRT where ncnn serves the network. Loading a model checks the hash of every file that it needs
and scores its golden example, so a model that was altered after it was published is refused.
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
"""Former versions of an alias that are kept for a rollback."""

_REFERENCE = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9._-]*)(@(?P<version>[a-z0-9][a-z0-9._-]*))?(\+(?P<variant>[a-z0-9]+))?"
)


@dataclass(frozen=True, slots=True)
class PinnedModel:
    """One network and its engine: what a reference was resolved to when the job was planned.

    Attributes
    ----------
    name, version : str
    hash : str
        SHA-256 of the bundle's ``model.json``.
    engine : {"litert", "keras", "ncnn"}
        Engines agree within 1e-5, not to the last bit, so a job has one engine.
    variant : str or None
        The variant that was asked for by name, if any.
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
        """Read the result of :meth:`to_dict`; a document without an engine means LiteRT."""
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
    """The version of an alias, and its former versions, the latest last."""

    version: str
    before: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """A model with its versions, and the version of each alias."""

    name: str
    versions: tuple[str, ...]
    aliases: dict[str, str]


class ModelRepository:
    """The models in one store.

    Parameters
    ----------
    store : Store
        Where the models lie.
    engine : {"litert", "keras"}, optional
        What is deployed: ``keras`` runs every network by Keras; with ``litert`` there is no Keras. The environment
        variable ``ANEMONEFISH_ENGINE`` unless given; without either, each bundle's own engine.
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
        """Resolve ``name``, ``name@alias`` or ``name@version``, each also with ``+variant``.

        ``+litert`` means the network itself, run by LiteRT.

        Raises
        ------
        InvalidRequest
            The reference is malformed.
        ModelNotFound
            There is no such model, version, alias or variant.
        InvalidBundle
            The bundle is damaged.
        IncompatibleModel
            Only Keras runs the network, and LiteRT is deployed.
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
        """Return a file of a bundle; raise :class:`InvalidBundle` where it was altered after publishing."""
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
        """Load a model after checking its hashes and its golden example.

        Raises
        ------
        ModelNotFound, InvalidBundle, IncompatibleModel, ParityError
            The bundle must not serve, and why.
        """
        return self._load_checked(pinned)[0]

    def verify(self, reference: str) -> tuple[ModelSpec, float]:
        """Check every file of a bundle and its golden scores; return the spec and the largest difference."""
        pinned = self.pin(reference)
        spec = self.spec(pinned)
        for name in spec.files:
            self.read_file(spec, name)
        for variant in spec.variants:
            if pinned.engine != "ncnn" or variant != WINOGRAD:  # the same files
                self._load_checked(replace(pinned, engine=VARIANTS[variant], variant=variant))
        if pinned.engine == "ncnn":
            self._load_checked(replace(pinned, engine=ENGINES[0]))  # the engine that is used where ncnn does not run
        return spec, self._load_checked(pinned)[1]

    def _load_checked(self, pinned: PinnedModel) -> tuple[Model, float]:
        """Load a model and score its golden example; with Keras, compare spectrograms with librosa's too."""
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
        """Set an alias to a version, which must exist; its former version is kept for a rollback."""
        if alias not in ALIASES:
            raise InvalidRequest(f"{alias!r} is not an alias; use {' or '.join(ALIASES)}")
        self._read_spec(name, version)
        try:
            former = self._pointer(name, alias)
        except (ModelNotFound, InvalidBundle):  # there is no alias yet, or setting it repairs a damaged one
            former = _Pointer(version)
        before = former.before if former.version == version else (*former.before, former.version)
        self._point(name, alias, _Pointer(version, before[-_REMEMBERED:]))

    def promote(self, name: str, version: str, alias: str) -> float:
        """Verify a version and set an alias to it; return the largest difference of its golden scores.

        Raises
        ------
        ModelNotFound, InvalidBundle, IncompatibleModel, ParityError
            The bundle must not serve, and why; the alias is unchanged.
        """
        _, difference = self.verify(f"{name}@{version}")
        self.set_alias(name, alias, version)
        return difference

    def rollback(self, name: str, alias: str) -> str:
        """Verify the former version of an alias and set the alias back to it; return that version.

        Raises
        ------
        ModelNotFound
            There is no such alias, or it has no former version.
        InvalidBundle, IncompatibleModel, ParityError
            The former bundle must not serve, and why; the alias is unchanged.
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
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
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
    """Return a loaded and verified model, which is kept for the later ranges of this process."""
    return ModelRepository(open_store(store_uri)).load(pinned)
