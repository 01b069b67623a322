"""InfluxDB 1.x beside us, where Debian's package `influxdb` is installed: its log synced at each write."""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from shutil import which
from typing import Final

from infra.dev.processes import free_port

INFLUXD: Final = which("influxd")

_CONFIG: Final = """
reporting-disabled = true
bind-address = "127.0.0.1:{backup}"
[meta]
  dir = "{root}/meta"
  logging-enabled = false
[data]
  dir = "{root}/data"
  wal-dir = "{root}/wal"
  wal-fsync-delay = "0s"
  query-log-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
[monitor]
  store-enabled = false
"""


@contextmanager
def influxd() -> Iterator[str]:
    """Run it on data of its own with a database `b`; yield its address.

    Raises: RuntimeError where it does not answer in 20 s.
    """
    assert INFLUXD is not None
    with tempfile.TemporaryDirectory(prefix="sluice-influxd-") as root:
        port, backup = free_port(), free_port()
        config = Path(root) / "config"
        config.write_text(_CONFIG.format(root=root, port=port, backup=backup))
        with (Path(root) / "log").open("wb") as log:
            process = subprocess.Popen((INFLUXD, "-config", str(config)), stdout=log, stderr=log)
        try:
            _make_database(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait(timeout=10)


def _make_database(port: int) -> None:
    end = time.monotonic() + 20
    while True:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("POST", "/query?q=CREATE+DATABASE+b")
            if connection.getresponse().status == 200:
                return
        except OSError as error:
            if time.monotonic() > end:
                raise RuntimeError(f"InfluxDB did not start: {error}.") from error
            time.sleep(0.05)
        finally:
            connection.close()
