"""ModelInference: the scores of a job, from spectrograms and from samples, with their times."""

from __future__ import annotations

import numpy as np
import pytest

import anemonefish as af
from anemonefish.front.simulated_recordings import SimulatedRecording
from tests.reference_models import LAB_MODEL


@pytest.fixture(scope="module")
def model() -> af.ModelInference:
    return af.load_model("reef")


def test_samples_have_the_scores_of_a_job(
    model: af.ModelInference, reef: SimulatedRecording, results: af.Detections
) -> None:
    samples, rate = model.preprocessor.load_audio(reef.path)
    scores = model.score(samples, rate)
    assert np.array_equal(scores.values, results.scores.values)
    assert np.array_equal(scores.start_seconds, results.scores.start_seconds)


def test_batches_have_the_scores_of_one_batch(model: af.ModelInference, reef: SimulatedRecording) -> None:
    samples, rate = model.preprocessor.load_audio(reef.path)
    windows, starts, ends = model.preprocessor.segment_audio(samples[: 5 * rate], rate)
    spectrograms = model.preprocessor.create_spectrograms(windows, rate)
    whole = model.predict(spectrograms, starts, recording="reef.wav")
    parts = model.predict(np.array_split(spectrograms, 3))
    assert np.array_equal(whole.values, parts.values)
    assert whole.start_seconds.tolist() == starts.tolist()
    assert np.allclose(whole.end_seconds, ends)
    assert np.allclose(parts.start_seconds, starts)
    assert whole.recordings == {"reef.wav": len(windows)}


def test_what_does_not_fit_is_refused(model: af.ModelInference) -> None:
    with pytest.raises(af.errors.IncompatibleModel, match="takes windows of shape"):
        model.predict(np.zeros((1, 76, 256, 1), np.float32))
    with pytest.raises(af.InvalidRequest, match=r"start_seconds has the shape \(2,\), but 1 windows were scored"):
        model.predict(np.zeros((1, *model.input_shape), np.float32), [0.0, 1.0])
    with pytest.raises(af.InvalidRequest, match=f"takes samples at {model.sample_rate} Hz, not 32000 Hz"):
        model.score(np.zeros(32_000), 32_000)


def test_nothing_to_score_is_an_empty_table(model: af.ModelInference) -> None:
    assert model.sample_rate is not None
    assert model.score(np.zeros(100), model.sample_rate).values.shape == (0, 3)
    assert len(model.predict([])) == 0


def test_model_says_what_it_is() -> None:
    model = af.load_model(LAB_MODEL)
    assert repr(model).startswith(f"ModelInference: {LAB_MODEL} by ")
    assert model.classes == ("noise", "anemonefish", "biological")
    assert (model.target_class, model.sample_rate, model.window_seconds, model.hop_seconds) == (
        "anemonefish",
        48_000,
        0.4,
        0.2,
    )


def test_unknown_model_is_an_error() -> None:
    with pytest.raises(af.errors.ModelNotFound, match="there is no model 'whale'"):
        af.load_model("whale")
