"""Preprocessing profiles: from samples to the spectrograms a network was trained on.

:mod:`.profile`   what every profile has: constants, window grid, shape, checks
:mod:`.band_db`   profile ``band-db``, of our own models: decibels above the background, from frames that are shared
:mod:`.stft`      the short-time Fourier transform and its decibels, bit for bit as librosa makes them
:mod:`.centred`   what the lab's profiles share: one window after the other
:mod:`.stft_db`   profile ``stft-db``, of the lab's model v2
:mod:`.image`     profile ``image``, of the lab's model v1: the picture that matplotlib draws, without matplotlib
:mod:`.magma`     the colours of that picture

A profile has a name, and a model's bundle keeps all of its constants. A spectrogram depends on the samples of its own
window only, so it has the same bits in every block and from every memory layout. Only numpy is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from anemonefish.errors import InvalidBundle, InvalidSettings
from anemonefish.profiles.band_db import BandDb
from anemonefish.profiles.image import Image
from anemonefish.profiles.profile import Profile
from anemonefish.profiles.stft_db import StftDb

__all__ = ["PROFILES", "BandDb", "Image", "Profile", "StftDb", "profile_from_dict", "profile_named", "spectrograms"]

PROFILES: dict[str, type[Profile]] = {cls.kind: cls for cls in (StftDb, Image, BandDb)}
"""Every profile class by its kind."""

_ADDED = {StftDb.kind: {"fmin_hz": 0.0}}
"""Constants that older bundles of a kind do not name, with the value that changes nothing."""


def profile_named(kind: str, **constants: Any) -> Profile:
    """Return the profile of a kind with its default constants (the lab's, for its kinds), except for those given.

    Raises
    ------
    InvalidSettings
        The kind or a constant is unknown, or a value is out of range.
    """
    cls = PROFILES.get(kind)
    if cls is None:
        raise InvalidSettings(f"there is no profile {kind!r}; the profiles are {', '.join(PROFILES)}")
    unknown = set(constants) - _constants(cls)
    if unknown:
        raise InvalidSettings(
            f"profile {kind} has no constant {sorted(unknown)[0]!r}; it has {', '.join(sorted(_constants(cls)))}"
        )
    return cls(**constants)


def profile_from_dict(document: Mapping[str, Any]) -> Profile:
    """Read what :meth:`Profile.to_dict` wrote: the kind and every constant, none left to a default.

    A constant that did not exist when a bundle was published has the value that changes nothing.

    Raises
    ------
    InvalidBundle
        The kind is unknown, a constant is unknown or missing, or a value is out of range.
    """
    if not isinstance(document, Mapping):
        raise InvalidBundle(f"profile must be an object of names and values, not {document!r}")
    constants = dict(document)
    kind = constants.pop("kind", None)
    cls = PROFILES.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise InvalidBundle(f"profile: kind must be one of {', '.join(PROFILES)}, not {kind!r}")
    constants = _ADDED.get(cls.kind, {}) | constants
    for name in sorted(set(constants) ^ _constants(cls)):
        state = "is unknown" if name in constants else "is missing"
        raise InvalidBundle(f"profile {kind}: {name!r} {state}; its constants are {', '.join(sorted(_constants(cls)))}")
    try:
        return cls(**constants)
    except InvalidSettings as error:
        raise InvalidBundle(f"profile {kind}: {error}") from None


def spectrograms(profile: Profile | str, samples: NDArray[np.floating], sample_rate: int) -> NDArray[np.float32]:
    """Cut a mono recording into a profile's windows and return their spectrograms.

    Parameters
    ----------
    profile : Profile or {"stft-db", "image", "band-db"}
        A name means the default constants: the lab's, for its two kinds.
    samples : ndarray, shape (n_samples,), float32 or float64
        Full scale is 1. float64 is never narrowed; ``image`` treats the two as librosa does, each in its own
        precision, and ``stft-db`` always computes in float64, as the training code did; so do the frames of
        ``band-db``.
    sample_rate : int
        Samples per second.

    Returns
    -------
    ndarray, shape (n_windows, *profile.input_shape(sample_rate)), float32
        Empty where the recording is shorter than one window.

    Raises
    ------
    InvalidSettings
        The profile is unknown, or the samples are not one-dimensional float32 or float64.
    InvalidSamples
        A sample is NaN or infinite.
    UnsupportedRecording
        The profile makes no spectrogram at this sample rate.

    Examples
    --------
    >>> import numpy as np
    >>> from anemonefish.profiles import spectrograms
    >>> spectrograms("stft-db", np.zeros(48_000), 48_000).shape
    (4, 76, 256, 1)
    """
    chosen = profile_named(profile) if isinstance(profile, str) else profile
    if samples.ndim != 1:
        raise InvalidSettings(
            f"samples must be one-dimensional, not of shape {samples.shape}; average the channels of a recording first"
        )
    grid = chosen.grid(len(samples), sample_rate)
    if not grid.n_windows:
        windows = np.empty((0, grid.window), samples.dtype)
    else:
        windows = sliding_window_view(samples, grid.window)[:: grid.hop]
    return chosen.spectrograms(windows, sample_rate)


def _constants(cls: type[Profile]) -> set[str]:
    return {field.name for field in fields(cls)}
