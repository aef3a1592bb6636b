"""The init: what the others find in the volume."""

import sys
from pathlib import Path

volume = Path(sys.argv[1])
(volume / "greeting.txt").write_text("Hello from a group of four.\n")
(volume / "access.log").touch()
# The volume outlives a restart of the group; that the metrics are ready has to be seen anew.
(volume / "metrics.prom").unlink(missing_ok=True)
