"""What the names of labels mean in a training."""

from __future__ import annotations

import pytest

from anemonefish.errors import InvalidRequest
from anemonefish.training.label_meanings import NEGATIVE, UNSURE, choose_meanings
from anemonefish.training.training_options import TrainingOptions


def test_every_name_is_a_class_but_noise_and_doubt() -> None:
    found = choose_meanings({"pop": 3, "grunt": 9, "noise": 4, "?": 1, "No": 2}, TrainingOptions())
    assert found.classes == ("grunt", "pop")
    assert found.target == "grunt"
    assert found.of == {"pop": 1, "grunt": 0, "noise": NEGATIVE, "?": UNSURE, "No": NEGATIVE}


def test_anemonefish_is_the_target_although_other_labels_are_more_frequent() -> None:
    assert choose_meanings({"anemonefish": 3, "grunt": 9}, TrainingOptions()).target == "anemonefish"


def test_names_that_are_no_chosen_class_are_other_sounds() -> None:
    found = choose_meanings({"pop": 3, "boat": 9}, TrainingOptions(classes=("pop",)))
    assert found.of == {"pop": 0, "boat": NEGATIVE}


def test_star_maps_every_other_name_but_not_noise() -> None:
    options = TrainingOptions(mapping={"*": "fish", "boat": "noise"})
    found = choose_meanings({"A. clarkii": 1, "": 2, "boat": 3, "absent": 1}, options)
    assert found.classes == ("fish",)
    assert found.of == {"A. clarkii": 0, "": 0, "boat": NEGATIVE, "absent": NEGATIVE}


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        ({}, {}, "there is no label in the label files"),
        ({"": 4}, {}, r"have no names; say what they are with --map '\*=NAME'"),
        ({"noise": 4}, {}, "no name of a label can be a class: 'noise'"),
        ({"pop": 4}, {"classes": ("grunt",)}, r"no label means the class 'grunt'; the labels are called 'pop'.*--map"),
        ({"pop": 4}, {"target": "grunt"}, "the target 'grunt' is no class; the classes are pop"),
        ({"pop": 4}, {"classes": ("pop", "pop")}, "distinct"),
    ],
)
def test_what_cannot_be_learned_is_an_error_with_its_mend(names: dict, options: dict, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        choose_meanings(names, TrainingOptions(**options))
