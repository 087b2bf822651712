"""Copy a model's bundles into a store that lacks them, such as the models bucket of a new stack.

What the store already has is kept, because versions never change and a lab may have moved an alias.
"""

from __future__ import annotations

from anemonefish.errors import ModelNotFound
from anemonefish.stores import Store

__all__ = ["copy_missing"]

_DESCRIPTION = "model.json"


def copy_missing(source: Store, target: Store, name: str) -> list[str]:
    """Copy the versions and aliases of a model that ``target`` lacks.

    Parameters
    ----------
    source, target : Store
        Stores with models as :class:`~anemonefish.models.repository.ModelRepository` lays them out.
    name : str
        Name of the model.

    Returns
    -------
    list of str
        The copied keys. The description of a version follows its other files, and aliases follow all versions, so
        that a reader and an interrupted copy never meet half a version.

    Raises
    ------
    ModelNotFound
        ``source`` has no version of the model.
    """
    keys = list(source.keys(f"{name}/"))
    versions = sorted(key.removesuffix(_DESCRIPTION) for key in keys if key.endswith(f"/{_DESCRIPTION}"))
    if not versions:
        raise ModelNotFound(f"{source.uri} has no version of the model {name}")
    wanted: list[str] = []
    for version in versions:
        if not target.exists(version + _DESCRIPTION):
            wanted += [key for key in keys if key.startswith(version) and not key.endswith(f"/{_DESCRIPTION}")]
            wanted.append(version + _DESCRIPTION)
    wanted += [key for key in keys if key.count("/") == 1 and not target.exists(key)]
    for key in wanted:
        target.write(key, source.read(key))
    return wanted
