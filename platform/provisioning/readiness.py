"""Waiting until the processes answer, and telling a person where."""

import asyncio
import urllib.error
import urllib.request
from collections.abc import Sequence

from provisioning.errors import ProvisioningError

SECONDS = 90
# Loopback must not go through a proxy that the environment names.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


async def wait_until_ready(urls: Sequence[str]) -> None:
    """Return once every `url` answers 200; ProvisioningError says which did not."""
    for url in urls:
        try:
            async with asyncio.timeout(SECONDS):
                while not await asyncio.to_thread(_answers, url):
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise ProvisioningError(
                f"{url} did not answer within {SECONDS} s; the lines above say why."
            ) from None


def _answers(url: str) -> bool:
    try:
        with _opener.open(url, timeout=5) as response:
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False
