"""The Pod for machines without containers: one primary, its sidecars, one fate."""

__version__ = "0.1.0"
