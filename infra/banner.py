"""What a process prints once it serves: where, the token, and lines to copy."""

import logging

from infra.first_start import FILE_NAME
from infra.role import Role
from infra.settings import Settings
from infra.wiring import Running

logger = logging.getLogger(__name__)


def banner(running: Running, settings: Settings, role: Role) -> str:
    """Return the text: the address, where the token is, and three commands that work as they stand."""
    url = running.url
    if not role.receives:
        return f"\nSluice works. It answers {url}/ready, /health and /metrics."
    given = settings.admin_token is not None
    file = settings.data / FILE_NAME
    source = '"$SLUICE_ADMIN_TOKEN"' if given else f"$(cat {file})"
    where = "given in SLUICE_ADMIN_TOKEN" if given else f"in {file}"
    if running.token is None:
        source, where = "…", f"with the process that was first on this database, in its {FILE_NAME}"
    return f"""
Sluice serves on {url}   (documentation: {url}/docs)
The administrator's token is {where}. To try it, in another terminal:

  export T={source}

  # watch alerts
  curl -N -H "Authorization: Bearer $T" {url}/v1/alerts/acme/stream

  # make a rule
  curl -X POST {url}/v1/rules/acme -H "Authorization: Bearer $T" \\
    -d '{{"id": "hot", "on": "readings", "where": "temp > 30", "message": "{{{{ station }}}}"}}'

  # write a record
  curl -X POST {url}/v1/record/acme/readings -H "Authorization: Bearer $T" \\
    -H "Content-Type: application/json" -d '{{"station": "oslo", "temp": 31.5}}'

  # read it back
  curl -H "Authorization: Bearer $T" "{url}/v1/data/acme/readings?last=5"
"""


def warn_if_open(settings: Settings) -> None:
    """Warn of listening beyond this machine without TLS."""
    if not settings.loopback and settings.tls_cert is None:
        logger.warning(
            "Listening on %s without TLS: tokens and records can be read on the way. Set SLUICE_TLS_CERT and "
            "SLUICE_TLS_KEY, or put a proxy with TLS in front.",
            settings.host,
            extra={"action": "insecure"},
        )
