"""The card of a model: what it has heard, what was measured, and whether it is fit for science.

A bundle carries its card in ``model.json``, and every result carries one line of it. Whoever publishes a model states
the card; what is not stated is printed as "not stated", never guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from anemonefish.errors import InvalidSettings, short_repr

__all__ = ["NOT_STATED", "MeasuredFigure", "ModelCard"]

_WORDS = {True: "yes", False: "no", None: "not stated"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredFigure:
    """One measured figure of a model, with the sounds that it was measured on.

    Attributes
    ----------
    what : str
        What was measured, for example ``lone calls of 12 dB or more that were found``.
    value : float
        A share from 0 to 1, or a number whose unit ``what`` names.
    measured_on : str
        The scenes or recordings, and how many hours of them.
    interval : tuple of float or None
        Lowest and highest plausible value: 90 %, by a bootstrap over recordings or scenes.
    command : str
        What prints the figure again, where it is one command.

    Raises
    ------
    InvalidSettings
        A text is missing, or a number is none.

    Examples
    --------
    >>> str(MeasuredFigure(what="bouts that were found", value=0.81, interval=(0.65, 0.98), measured_on="10 scenes"))
    'bouts that were found: 0.81 (0.65-0.98), on 10 scenes'
    """

    what: str
    value: float
    measured_on: str
    interval: tuple[float, float] | None = None
    command: str = ""

    def __post_init__(self) -> None:
        for name in ("what", "measured_on"):
            _check_line(f"measured: {name}", getattr(self, name))
        if self.command:
            _check_line("measured: command", self.command)
        ends = () if self.interval is None else self.interval
        for number in (self.value, *ends):
            if not isinstance(number, int | float) or isinstance(number, bool) or not abs(number) < float("inf"):
                raise InvalidSettings(f"measured: {self.what}: a figure must be a number, not {short_repr(number)}")
        if ends and (len(ends) != 2 or not ends[0] <= self.value <= ends[1]):
            raise InvalidSettings(
                f"measured: {self.what}: interval must be two numbers with {self.value:g} between them, "
                f"not {short_repr(list(ends))}"
            )

    def __str__(self) -> str:
        interval = "" if self.interval is None else f" ({self.interval[0]:g}-{self.interval[1]:g})"
        return f"{self.what}: {self.value:g}{interval}, on {self.measured_on}"

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Read the result of :func:`dataclasses.asdict`, or a part of a card file."""
        _check_names("measured", cls, document, required=("what", "value", "measured_on"))
        interval = document.get("interval")
        if interval is not None and not isinstance(interval, list | tuple):
            raise InvalidSettings(f"measured: interval must be two numbers, not {short_repr(interval)}")
        return cls(**{**document, "interval": None if interval is None else tuple(interval)})


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """What a user must know of a model before counting fish with it.

    Attributes
    ----------
    fit_for_science : bool or None
        Whether its publisher holds it fit for scientific use; None where nobody said so.
    why : str
        One sentence; needed where ``fit_for_science`` is stated.
    heard, not_heard : tuple of str
        What it was trained with, and what it has never heard: species, sites, recorders, noises.
    measured : tuple of MeasuredFigure
        At least one where a model is said to be fit for science.

    Raises
    ------
    InvalidSettings
        A field has the wrong type, or ``why`` or a figure is missing.

    Examples
    --------
    >>> ModelCard(fit_for_science=False, why="trained on simulated scenes only").line
    'fit for science: no (trained on simulated scenes only)'
    >>> ModelCard().line
    'fit for science: not stated'
    """

    fit_for_science: bool | None = None
    why: str = ""
    heard: tuple[str, ...] = ()
    not_heard: tuple[str, ...] = ()
    measured: tuple[MeasuredFigure, ...] = ()

    def __post_init__(self) -> None:
        if self.fit_for_science is not None and not isinstance(self.fit_for_science, bool):
            raise InvalidSettings(
                f"fit_for_science must be true or false, not {short_repr(self.fit_for_science)}; leave it out where it "
                f"is not known"
            )
        if self.fit_for_science is not None or self.why:
            _check_line("why", self.why)
        for name in ("heard", "not_heard"):
            for text in getattr(self, name):
                _check_line(name, text)
        if self.fit_for_science and not self.measured:
            raise InvalidSettings(
                "fit_for_science: true needs at least one figure under 'measured', on recordings that the model was "
                "not trained with; leave fit_for_science out where nothing was measured"
            )

    @property
    def line(self) -> str:
        """The line that every result carries."""
        return f"fit for science: {self.fitness}"

    @property
    def fitness(self) -> str:
        """``no (why)``, ``yes (why)`` or ``not stated``."""
        return _WORDS[self.fit_for_science] + (f" ({self.why})" if self.why else "")

    def lines(self) -> Iterator[str]:
        """Yield the card as sentences for a terminal; at least one."""
        yield self.line
        if self.heard:
            yield f"has heard: {'; '.join(self.heard)}"
        if self.not_heard:
            yield f"has not heard: {'; '.join(self.not_heard)}"
        for figure in self.measured:
            yield f"measured: {figure}"

    def to_dict(self) -> dict[str, Any]:
        """Return the names and values, JSON-ready."""
        return {
            **asdict(self),
            "heard": list(self.heard),
            "not_heard": list(self.not_heard),
            "measured": [
                {**asdict(figure), "interval": None if figure.interval is None else list(figure.interval)}
                for figure in self.measured
            ],
        }

    @classmethod
    def from_dict(cls, document: Any) -> Self:
        """Read :meth:`to_dict`, or a card file in which any field may be missing.

        Raises
        ------
        InvalidSettings
            It holds no names and values, a name is unknown, or a value is invalid.
        """
        if not isinstance(document, Mapping):
            raise InvalidSettings(f"a card must hold names and values, not {short_repr(document)}")
        _check_names("card", cls, document)
        lists = {name: _list(name, document.get(name)) for name in ("heard", "not_heard", "measured")}
        return cls(
            fit_for_science=document.get("fit_for_science"),
            why=document.get("why") or "",
            heard=lists["heard"],
            not_heard=lists["not_heard"],
            measured=tuple(MeasuredFigure.from_dict(figure) for figure in lists["measured"]),
        )


NOT_STATED = ModelCard()
"""The card of a model whose publisher stated none."""


def _list(name: str, value: Any) -> tuple[Any, ...]:
    if value is None:
        return ()
    if isinstance(value, str) and name != "measured":
        return (value,)
    if not isinstance(value, list | tuple):
        raise InvalidSettings(f"{name} must be a list, not {short_repr(value)}")
    return tuple(value)


def _check_names(what: str, cls: type, document: Any, required: tuple[str, ...] = ()) -> None:
    """Check that a document holds known names only, and those that are required."""
    names = [field.name for field in fields(cls)]
    if not isinstance(document, Mapping):
        raise InvalidSettings(f"{what} must hold names and values ({', '.join(names)}), not {short_repr(document)}")
    if unknown := [name for name in document if name not in names]:
        raise InvalidSettings(f"{what}: {short_repr(unknown[0])} is unknown; it may have {', '.join(names)}")
    if missing := [name for name in required if document.get(name) is None]:
        raise InvalidSettings(f"{what}: {', '.join(missing)} is missing")


def _check_line(name: str, text: Any) -> None:
    """Check that a text is one line and not empty, because results carry it in a cell of a table."""
    if not isinstance(text, str) or not text.strip() or not text.isprintable():
        raise InvalidSettings(f"{name} must be one line of text, not {short_repr(text)}")
