"""Workflow: plan, transcode, score, aggregate and review, as the state machine and the laptop call them."""
