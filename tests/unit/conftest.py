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
SLOW_TESTS = {  # two seconds of a processor or more
    "test_calibration_of_this_machine_is_used_by_the_next_quote",
    "test_combined_tables_hold_the_events_of_every_recording",
    "test_commands_of_the_readme_run",
    "test_data_frames_are_the_tables_of_events_and_effort",
    "test_deciding_again_saves_what_the_command_line_would",
    "test_every_encoding_of_a_clip_has_the_same_answer",
    "test_every_process_writes_the_same_bytes",
    "test_failures_can_be_raised_or_left_to_the_caller",
    "test_folder_that_simulate_wrote_is_a_folder_of_labels",
    "test_names_that_look_like_formulas_are_escaped_in_every_table",
    "test_process_that_dies_takes_one_task_with_it",
    "test_progress_counts_what_is_scored_already",
    "test_recordings_without_a_start_time_are_drawn_in_their_order_and_said_otherwise",
    "test_requests_of_the_page_have_the_documented_answers",
    "test_results_are_read_as_they_were_saved",
    "test_rows_per_minute_sum_up_windows_and_events",
    "test_saved_results_are_the_files_of_the_command_line",
    "test_scores_are_those_of_the_results",
    "test_the_chance_is_the_share_of_positions_at_which_a_call_is_found",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the slow tests; a module that was renamed is an error here, not a slow check."""
    modules = {path.stem for path in Path(__file__).parent.rglob("test_*.py")}
    gone = sorted(SLOW_MODULES - modules)
    assert not gone, f"{gone} are no modules of tests; correct SLOW_MODULES"
    for item in items:
        if item.path.stem in SLOW_MODULES or item.name.partition("[")[0] in SLOW_TESTS:
            item.add_marker(pytest.mark.slow)
