"""What builds, deploys and releases this repository: the logic behind ``.github/workflows`` and ``make deploy``."""
