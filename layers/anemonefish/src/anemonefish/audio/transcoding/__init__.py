"""Transcoding: recordings whose format is not sample-accurately seekable become FLAC pieces."""
