"""TLS on one machine: Caddy with a certificate of its own authority, in front of web and ingest."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from provisioning.output import Say
from provisioning.packages import install_packages
from provisioning.places import Places
from provisioning.processes import Child, port

# Answers that programs wait for until COMMIT, and sockets, must not be cut by the proxy: it has no read timeout.
# A body is limited here too, before a byte of it reaches a process.
TEMPLATE: Final = """\
# Written by `make up TLS=1` on every run.
{{
	admin off
	auto_https disable_redirects
	storage file_system "{storage}"
	skip_install_trust
	log {{
		output stderr
		level ERROR
	}}
}}

https://127.0.0.1:{tls}, https://localhost:{tls} {{
	bind {bind}
	tls internal
	request_body {{
		max_size 11MB
	}}
	@events {{
		method POST
		path /api/v1/events
	}}
	reverse_proxy @events {bind}:{ingest}
	reverse_proxy /ws/v1/ingest {bind}:{ingest}
	reverse_proxy {bind}:{web}
}}
"""


def ensure_caddy(say: Say) -> None:
    """Install Debian's Caddy where there is none; its service is not started. Raises ProvisioningError."""
    if shutil.which("caddy") is None:
        install_packages(["caddy"], say)


def write_caddyfile(*, places: Places, environment: Mapping[str, str]) -> Path:
    """The configuration for the ports that `environment` names, under .local/caddy."""
    folder = places.local / "caddy"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / "Caddyfile"
    path.write_text(caddyfile(storage=folder, environment=environment))
    return path


def caddyfile(*, storage: Path, environment: Mapping[str, str]) -> str:
    bind = environment.get("STREAMGAUGE_BIND", "127.0.0.1")
    ports = {name: port(environment, name) for name in ("tls", "web", "ingest")}
    return TEMPLATE.format(storage=storage, bind=bind, **ports)


def authority(places: Places) -> Path:
    """The certificate that clients must trust; there once Caddy has started."""
    return places.local / "caddy" / "pki" / "authorities" / "local" / "root.crt"


def caddy(path: Path) -> Child:
    command = ("caddy", "run", "--config", str(path), "--adapter", "caddyfile")
    return Child("caddy", command, {"XDG_CONFIG_HOME": str(path.parent), "XDG_DATA_HOME": str(path.parent)})
