"""The Python interface: what ``import anemonefish as af`` offers to scripts and notebooks, one module per subject."""
