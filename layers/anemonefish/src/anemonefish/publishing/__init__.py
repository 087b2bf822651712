"""Publishing: a Keras model to a verified bundle. Needs TensorFlow, which no worker installs."""
