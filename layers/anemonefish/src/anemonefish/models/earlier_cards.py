"""Cards of bundles that were published before a bundle had a card.

A bundle never changes, because results name it by its hash. These cards are therefore kept here, by the SHA-256 of the
bundle's ``model.json``. A bundle that is published now carries its own card.
"""

from __future__ import annotations

from anemonefish.models.card import MeasuredFigure, ModelCard

__all__ = ["EARLIER_CARDS"]

_HEARD = ("simulated reef scenes only (training/README.md)",)
_NOT_HEARD = (
    "any real anemonefish",
    "any real reef, recorder or boat",
    "long recordings of one site",
)
_WHY = "trained on simulated scenes only and never measured on a reef where anemonefish live"


_MEASURED = "python training/measure.py --model reef@1.1.0 --scenes 10"
_SCENES = "10 simulated scenes of 2 minutes, unseen in training"


EARLIER_CARDS = {
    "9a7bfe375f73fd4fba49cc4a083d308f273cfd602f2febc926a29e438c6cf792": ModelCard(
        fit_for_science=False, why=_WHY, heard=_HEARD, not_heard=_NOT_HEARD
    ),
    "10818a57ffdab04c4967d6fa4ab83144ca2765fba07dd8d0f4c7f3403c1bf708": ModelCard(
        fit_for_science=False,
        why=_WHY,
        heard=_HEARD,
        not_heard=_NOT_HEARD,
        measured=(
            MeasuredFigure(
                what="lone calls of 12 dB or more that were found",
                value=0.44,
                interval=(0.33, 0.55),
                measured_on=_SCENES,
                command=_MEASURED,
            ),
            MeasuredFigure(
                what="bouts that were found", value=0.81, interval=(0.65, 0.98), measured_on=_SCENES, command=_MEASURED
            ),
            MeasuredFigure(
                what="events that were bouts", value=0.87, interval=(0.81, 0.93), measured_on=_SCENES, command=_MEASURED
            ),
            MeasuredFigure(
                what="false events per hour where only other animals call",
                value=12,
                measured_on=_SCENES,
                command=_MEASURED,
            ),
            MeasuredFigure(
                what="false events per hour in an empty reef", value=3, measured_on=_SCENES, command=_MEASURED
            ),
        ),
    ),
}
"""The cards of the reference models 1.0.0 and 1.1.0."""
