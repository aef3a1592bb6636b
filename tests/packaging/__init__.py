"""The packages, built as they are released."""
