"""Where imported files lie, how large they may be, and which hosts inside may be fetched from."""

import os
from pathlib import Path

from config import env

# Web, ingest and worker processes must see the same folder: on several machines, a shared one.
IMPORT_DIR = Path(os.environ.get("STREAMGAUGE_IMPORT_DIR") or env.LOCAL / "imports")
IMPORT_MAX_BYTES = env.integer("STREAMGAUGE_IMPORT_MAX_BYTES", 10 * 2**30)
IMPORT_MAX_PLAIN_BYTES = env.integer("STREAMGAUGE_IMPORT_MAX_PLAIN_BYTES", 50 * 2**30)
IMPORT_MAX_RATIO = env.integer("STREAMGAUGE_IMPORT_MAX_RATIO", 200)
# An upload that would leave less than this on its disk is refused: PostgreSQL may live there too.
IMPORT_FREE_BYTES = env.integer("STREAMGAUGE_IMPORT_FREE_BYTES", 2**30)
# How many files are read at once: the other worker processes go on folding windows.
IMPORT_AT_ONCE = env.integer("STREAMGAUGE_IMPORT_AT_ONCE", 1)

# Hosts (or host:port) that URLs of users may reach although their addresses are not public.
OUTBOUND_ALLOWED_HOSTS = env.words("STREAMGAUGE_OUTBOUND_ALLOWED_HOSTS")
IMPORT_PULL_SECONDS = env.integer("STREAMGAUGE_IMPORT_PULL_SECONDS", 600)
