"""``import anemonefish``: what it offers, and what it loads."""

from __future__ import annotations

import pydoc
import subprocess
import sys

import pytest

import anemonefish as af


def test_every_name_of_the_package_can_be_used() -> None:
    for name in af.__all__:
        assert getattr(af, name) is not None
    assert set(af.__all__) <= set(dir(af))


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'detekt'"):
        af.detekt  # noqa: B018


def test_help_has_a_line_for_every_name() -> None:
    text = pydoc.plain(pydoc.render_doc(af))
    description = text[text.index("DESCRIPTION") : text.index("PACKAGE CONTENTS")]
    for name in af.__all__:
        assert name == "__version__" or f"af.{name}" in description, name


def test_every_function_and_class_has_an_example_or_is_an_error() -> None:
    for name in af.__all__:
        value = getattr(af, name)
        if callable(value) and not (isinstance(value, type) and issubclass(value, Exception)):
            assert ">>> " in str(value.__doc__) or value is af.Settings, name


def test_import_loads_neither_numpy_nor_the_interface() -> None:
    program = (
        "import sys, anemonefish; print([name for name in sys.modules if name.startswith('anemonefish.') "
        "or name in {'numpy', 'soundfile', 'pandas'}])"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "['anemonefish.errors', 'anemonefish.layer_check']"


def test_errors_of_the_tree_are_there() -> None:
    assert issubclass(af.errors.EmptyRecording, af.RecordingError)
    assert issubclass(af.RecordingError, af.AnemonefishError)
