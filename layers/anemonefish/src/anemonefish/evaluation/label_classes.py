"""Find the class of the model that each name of a label means.

A name that is a class means that class, and a mapping by the user adds to this: ``--map 'A. clarkii=anemonefish'``, or
``--map '*=anemonefish'`` for every other name. Names such as 0, false or absent usually say that a class is absent, so
``*`` does not stand for them.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence

from anemonefish.errors import InvalidRequest

__all__ = ["find_classes", "join_names"]

_EVERY_OTHER_NAME = "*"
_ABSENT = frozenset({"0", "0.0", "false", "no", "absent"})
_NAMES_SHOWN = 5


def find_classes(names: Iterable[str], classes: Sequence[str], mapping: Mapping[str, str]) -> dict[str, str | None]:
    """Return the class that each name means, or None for a name without a class.

    Parameters
    ----------
    names : iterable of str
        The names of all labels; empty for labels without a name.
    classes : sequence of str
        The classes of the model.
    mapping : mapping of str to str
        Class by name.

    Raises
    ------
    InvalidRequest
        A name is mapped to something that is no class of the model, or there are names and none means a class.
    """
    names = list(names)
    for name in mapping.values():
        if name not in classes:
            raise InvalidRequest(f"labels are mapped to {name!r}, but the model has {', '.join(classes)}")
    class_of: dict[str, str | None] = {}
    for name in names:
        same = name if name in classes else None
        default = None if name.lower() in _ABSENT else mapping.get(_EVERY_OTHER_NAME)
        class_of[name] = mapping.get(name, same or default)
    if names and not any(class_of.values()):
        raise InvalidRequest(_no_class_message(sorted(names), classes))
    return class_of


def _no_class_message(names: Sequence[str], classes: Sequence[str]) -> str:
    """Return the message that asks for ``--map``; its example is the last class, because noise often comes first."""
    known = f"the model has the classes {', '.join(classes)}"
    map_all = f"--map {_quoted(f'{_EVERY_OTHER_NAME}={classes[-1]}')}"
    if list(names) == [""]:
        return f"the labels have no names, and {known}; add {map_all}, or --label-column if a column names them"
    example = next((name for name in names if name.lower() not in _ABSENT), names[0])
    message = (
        f"the labels are called {join_names(map(repr, names))}, and {known}; say which class a name means, for example "
        f"--map {_quoted(f'{example}={classes[-1]}')}, or {map_all} for all"
    )
    absent = [name for name in names if name.lower() in _ABSENT]
    return message + (f" but {', '.join(absent)}, which may say that a class is absent" if absent else "")


def _quoted(text: str) -> str:
    """Return a text in quotation marks that a shell accepts."""
    quoted = shlex.quote(text)
    return quoted if quoted != text else f"'{text}'"


def join_names(names: Iterable[str]) -> str:
    """Join the first names in alphabetical order, and say how many more there are."""
    every = sorted(names)
    more = f" and {len(every) - _NAMES_SHOWN} more" if len(every) > _NAMES_SHOWN else ""
    return ", ".join(every[:_NAMES_SHOWN]) + more
