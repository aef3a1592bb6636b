"""What the commands that read a manifest share: the search, and the complaint."""

import os
import sys

from pairvisor.cli.exits import BAD_MANIFEST
from pairvisor.cli.nearest import nearest
from pairvisor.manifest.errors import ManifestError
from pairvisor.manifest.group import Group
from pairvisor.manifest.load import load


def load_or_exit(file: str | None) -> Group:
    """The group that the manifest describes; otherwise all that is wrong, and exit code 78."""
    try:
        group = load(nearest() if file is None else file, os.environ, os.geteuid())
    except ManifestError as error:
        for problem in error.problems:
            sys.stderr.write(f"{problem}\n")
        sys.exit(BAD_MANIFEST)
    for warning in group.warnings:
        sys.stderr.write(f"{warning} (warning)\n")
    return group
