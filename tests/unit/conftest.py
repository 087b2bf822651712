"""Which unit tests are slow: ``make check`` leaves them out."""

from __future__ import annotations

from pathlib import Path

import pytest

SLOW_MODULES = {
    "test_cost_page",  # plans of thousands of recordings
    "test_engines",  # TensorFlow
    "test_faults",  # waits for time limits
    "test_find_recordings",  # folders of thousands of files
    "test_fit",  # TensorFlow
    "test_folder",  # jobs of three hundred recordings
    "test_formats",  # a job for each format
    "test_identity",  # many cuts of one job
    "test_lab_models",  # TensorFlow
    "test_lambda_layers",  # every layer for both processors
    "test_ncnn_fallback",  # processes that crash
    "test_noise",  # an hour of simulated sound
    "test_notebook",  # a whole session, with plots
    "test_portable",  # TensorFlow
    "test_profiles_oracle",  # librosa and matplotlib
    "test_privileges",  # every function, with clips and plots
    "test_publish",  # TensorFlow
    "test_results_folder",  # runs one after another in one folder
    "test_review",  # jobs with clips and plots
    "test_scene",  # minutes of simulated sound
    "test_stopping",  # starts commands and stops them
    "test_style",  # every plot, in several processes
    "test_to_ncnn",  # TensorFlow
    "test_train_model",  # TensorFlow
    "test_transcoder",  # decoders of every format
    "test_upload_parts",  # threads and time limits
    "test_wheel",  # builds the package
}
SLOW_TESTS = {"test_calibration_of_this_machine_is_used_by_the_next_quote"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the slow tests; a module that was renamed is an error here, not a slow check."""
    modules = {path.stem for path in Path(__file__).parent.rglob("test_*.py")}
    gone = sorted(SLOW_MODULES - modules)
    assert not gone, f"{gone} are no modules of tests; correct SLOW_MODULES"
    for item in items:
        if item.path.stem in SLOW_MODULES or item.name in SLOW_TESTS:
            item.add_marker(pytest.mark.slow)
