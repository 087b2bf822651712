"""Sentences about a published model: its engine, its parity, and what was left out and why."""

from __future__ import annotations

from collections.abc import Iterator

from anemonefish.models.bundle import WINOGRAD, ModelSpec

__all__ = ["description_lines"]

_ENGINES = {"litert": "LiteRT", "keras": "Keras, a window at a time,", "ncnn": "ncnn (Winograd)"}


def description_lines(spec: ModelSpec, uri: str) -> Iterator[str]:
    """Yield sentences about a published model; at least one."""
    parity = spec.parity
    difference = parity["ncnn_max_difference" if spec.engine == "ncnn" else "max_difference"]
    best = ", ".join(f"{label} {windows}" for label, windows in parity["best_class"].items())
    yield (
        f"published {spec.title} to {uri}: {_ENGINES[spec.engine]} within {difference:.1e} of Keras on "
        f"{parity['windows']} windows (best class: {best})"
    )
    if exact := parity.get("float64"):
        yield (
            f"more than 1e-05, but from the network in float64 the engine differs by {exact['engine']:.1e} and Keras "
            f"by {exact['keras']:.1e}; {exact['labels_flipped']} labels flipped, {exact['events_changed']} of "
            f"{exact['events']} events changed; the golden example may differ by {parity['tolerance']:.1e}"
        )
    if spec.multi_label:
        yield "multi-label: each class has a score by itself and is decided by its own threshold"
    if spec.engine == "ncnn":
        yield (
            f"where ncnn is missing or fails the golden example LiteRT serves it, within "
            f"{parity['max_difference']:.1e} of Keras"
        )
    if spec.engine == "litert" and "why_litert" in parity:
        yield f"not served by ncnn: {parity['why_litert']}"
    if spec.engine == "keras":
        yield f"served by Keras, in the image (Engine=keras): {parity['why_keras']}"
    for variant, agreement in spec.variants.items():
        if variant == WINOGRAD and spec.engine == "ncnn":
            continue
        f1 = agreement["event_f1"]
        events = "no events to compare" if f1 is None else f"F1 {f1:.3f} of {agreement['events']} events"
        faster = spec.compute["seconds_per_window"] / spec.compute["variants"][variant]
        yield (
            f"{spec.name}@{spec.version}+{variant}: {faster:.2g} times as fast on this processor, within "
            f"{agreement['max_difference']:.1e} of LiteRT's float32, {agreement['labels_flipped']} of "
            f"{agreement['windows']} labels flipped, {events}"
        )
