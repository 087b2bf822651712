"""Run a network by ncnn, which needs fewer multiplications, by default or as the variant ``winograd``.

``model.winograd.param`` and ``model.winograd.bin`` are run in one thread, in float32 throughout. Winograd's algorithm
takes 2 to 5 times fewer multiplications for a convolution of 3 x 3 (Lavin and Gray, 2016, arXiv:1509.09308). LiteRT
does not have it. The order of sums differs, so scores differ from Keras's in the last bits, as LiteRT's do.
:mod:`anemonefish.publishing.to_ncnn` writes the files.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anemonefish.errors import InvalidBundle
from anemonefish.stores.temporary import temporary_folder

__all__ = ["NcnnNetwork"]

_INPUT = re.compile(r"^Input .* 0=(\d+) 1=(\d+) 2=(\d+)$", re.MULTILINE)
"""Width, height and channels of the network's input."""


class NcnnNetwork:
    """A network that ncnn runs.

    Parameters
    ----------
    title : str
        The model's name in messages.
    layers : bytes
        The content of the ``.param`` file: a line per layer.
    weights : bytes
        The content of the ``.bin`` file: float32, in the order of the layers.

    Raises
    ------
    InvalidBundle
        ncnn is not installed, or cannot load the files.
    """

    def __init__(self, title: str, layers: bytes, weights: bytes) -> None:
        try:
            import ncnn  # 28 MB, which only such models need
        except ImportError:
            raise InvalidBundle(
                f"{title}: winograd is run by ncnn, which is not installed here; install it with: "
                f"pip install 'anemonefish[winograd]'"
            ) from None
        self._ncnn = ncnn
        self._net = ncnn.Net()
        _exactly(self._net.opt)
        text, damaged = layers.decode("ascii", "replace"), f"{title}: ncnn cannot load the files of winograd"
        found = _INPUT.search(text)
        with temporary_folder() as folder:  # its binding reads weights from files only
            path = Path(folder, "weights.bin")
            path.write_bytes(weights)
            if found is None or self._net.load_param_mem(text) != 0 or self._net.load_model(str(path)) != 0:
                raise InvalidBundle(f"{damaged}; publish the model again")
        (self._input,), (self._output,) = self._net.input_names(), self._net.output_names()
        width, height, channels = map(int, found.groups())
        window = np.zeros((1, height, width, channels), np.float32)
        self._shapes = window.shape, self.score(window).shape  # of the output no file says it

    @property
    def shapes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Shape of the input and of the output, with their batch of one."""
        return self._shapes

    def score(self, spectrogram: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the scores of one spectrogram, shape (1, n_classes)."""
        # Mat borrows the array's memory, which must outlive it, and a layer that works in place would crash on it.
        channels_first = np.ascontiguousarray(spectrogram[0].transpose(2, 0, 1))
        extractor = self._net.create_extractor()
        extractor.input(self._input, self._ncnn.Mat(channels_first).clone())
        failed, scores = extractor.extract(self._output)
        if failed:  # it ran when it was published, so too little memory is left as the cause
            raise MemoryError("ncnn could not score a window")
        return np.array(scores, np.float32)[np.newaxis]


def _exactly(option: object) -> None:
    """Set one thread and float32 for every number; by default ncnn uses half precision where the processor has it."""
    settings = {
        "num_threads": 1,
        "use_winograd_convolution": True,
        "use_vulkan_compute": False,
        "use_fp16_packed": False,
        "use_fp16_storage": False,
        "use_fp16_arithmetic": False,
        "use_bf16_packed": False,
        "use_bf16_storage": False,
        "use_int8_inference": False,
    }
    for name, value in settings.items():
        setattr(option, name, value)
