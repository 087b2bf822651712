"""Kinds of objects whose lifetime differs from that of the other files of a job.

A bucket cannot select the objects of all jobs by a prefix of their keys, so :class:`~anemonefish.stores.s3.S3Store`
writes the kind into a tag. The lifecycle rules of the output bucket (``template.yaml``) select by this tag. Objects
without a kind are kept as they are. A local folder ignores kinds.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["ARCHIVED_BYTES", "KIND_TAG", "Kind", "tagging"]

KIND_TAG = "kind"
"""Key of the tag."""

ARCHIVED_BYTES = 1 << 20
"""Smallest result that is archived. One MiB saves the price of its transition in a month, less takes longer; the tag
costs as much as the storage of 40 kB."""


class Kind(StrEnum):
    """What an object is.

    ``SCORES`` and ``AUDIO`` are temporary: the scores of a range, and the pieces of a transcoded recording. A
    ``RESULT`` is a report of a recording; large ones may be archived.
    """

    SCORES = "scores"
    AUDIO = "audio"
    RESULT = "result"


def tagging(kind: Kind | None, size: int) -> str | None:
    """Return the tags of an object as S3 takes them, or None for an object without tags.

    >>> tagging(Kind.SCORES, 100)
    'kind=scores'
    >>> tagging(Kind.RESULT, 100) is None
    True
    """
    if kind is None or (kind is Kind.RESULT and size < ARCHIVED_BYTES):
        return None
    return f"{KIND_TAG}={kind.value}"
