# Sluice in an image: `docker build -t sluice .`; infra/containers.md says how to run it.
ARG PYTHON=python:3.11.14-slim-bookworm

FROM ${PYTHON} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build

# What changes seldom comes first: these layers are made again only when the lock changes.
COPY pyproject.toml requirements.lock ./
COPY infra/runtime_lock.py infra/
RUN python infra/runtime_lock.py > runtime.lock \
    && python -m venv /opt/sluice \
    && /opt/sluice/bin/pip install --require-hashes --only-binary :all: -r runtime.lock \
    && python infra/runtime_lock.py setuptools > build.lock \
    && pip install --require-hashes -r build.lock

COPY README.md ./
COPY rules rules
COPY storage storage
COPY streams streams
COPY api api
COPY infra infra
RUN pip wheel --no-deps --no-build-isolation --wheel-dir wheels . \
    && /opt/sluice/bin/pip install --no-deps wheels/*.whl \
    && /opt/sluice/bin/python -m compileall -q /opt/sluice/lib \
    && /opt/sluice/bin/sluice --help > /dev/null


FROM ${PYTHON}
RUN groupadd --gid 10001 sluice \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/sluice --shell /usr/sbin/nologin sluice \
    && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/sluice
COPY --from=build /opt/sluice /opt/sluice
ENV PATH=/opt/sluice/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    SLUICE_HOST=0.0.0.0 \
    SLUICE_PORT=8080 \
    SLUICE_DATA=/var/lib/sluice \
    SLUICE_LOG_FORMAT=json
WORKDIR /var/lib/sluice
USER 10001:10001
VOLUME /var/lib/sluice
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['SLUICE_PORT'] + '/ready', timeout=4)"]
ENTRYPOINT ["sluice"]
CMD ["serve"]
