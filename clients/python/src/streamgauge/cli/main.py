"""Arguments in, exit code out."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from streamgauge.cli.importing import add_import
from streamgauge.cli.outcomes import INTERRUPTED, NOT_DELIVERED, CommandFailed, say
from streamgauge.cli.sending import add_send
from streamgauge.cli.tailing import add_tail
from streamgauge.errors import StreamgaugeError

EPILOG = """\
environment: STREAMGAUGE_URL, STREAMGAUGE_KEY; for tail and --server-side also STREAMGAUGE_WEB_URL,
STREAMGAUGE_READ_KEY, STREAMGAUGE_PROJECT.
exit codes: 0 all stored (or on disk), 1 some rejected, 2 usage, 3 not delivered, 4 refused (key, URL),
130 interrupted."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code."""
    parsed = _parser().parse_args(arguments)
    try:
        code: int = parsed.run(parsed)
    except CommandFailed as error:
        say(f"streamgauge: {error}")
        return error.code
    except StreamgaugeError as error:
        say(f"streamgauge: {error}")
        return NOT_DELIVERED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # whoever read us has gone, as in `tail | head`
        return 0
    return code


def run() -> None:
    logging.basicConfig(format="streamgauge: %(message)s", level=logging.WARNING)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    sys.exit(main())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="streamgauge", epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (add_send, add_import, add_tail):
        add(commands)
    for command in commands.choices.values():
        command.add_argument("--url", help="of the server")
        command.add_argument("--key", help="rather set STREAMGAUGE_KEY: other users see arguments")
        command.add_argument("--json", action="store_true", help="JSON on stdout")
    return parser
