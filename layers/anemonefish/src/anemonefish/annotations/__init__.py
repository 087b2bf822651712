"""Annotations: selection tables and label files of other programs, read and written."""
