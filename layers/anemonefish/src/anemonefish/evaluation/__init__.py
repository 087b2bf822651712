"""Evaluation: results compared with annotations: precision, recall and F1."""
