"""Tiny programs that tests run as members."""

from pathlib import Path

FOLDER = Path(__file__).parent
STUBBORN = FOLDER / "stubborn.sh"
TOLD = FOLDER / "told.sh"
