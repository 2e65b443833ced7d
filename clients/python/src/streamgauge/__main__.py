"""`python -m streamgauge` is the command `streamgauge`."""

from streamgauge.cli.main import run

run()
