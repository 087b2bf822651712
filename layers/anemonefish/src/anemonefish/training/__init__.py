"""Training: labels of a person to a published model. Needs Keras; no worker imports it."""
