"""The control API, without a group behind it where none is needed."""
