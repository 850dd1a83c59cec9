# Crafty's image: `docker build -t crafty .`; runs as a user without rights, and writes only to /data.
# Every library is pinned by hash. To pin the base as well, give its digest: --build-arg BASE=python:3.13-slim@sha256:…
ARG BASE=python:3.13-slim

FROM ${BASE} AS wheel
WORKDIR /build
COPY requirements-build.lock ./
RUN pip install --no-cache-dir --require-hashes --only-binary :all: --requirement requirements-build.lock
COPY pyproject.toml README.md LICENSE ./
COPY service ./service
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheel .

FROM ${BASE} AS install
WORKDIR /build
COPY requirements.lock ./
RUN python -m venv --without-pip /opt/crafty && \
    pip --python /opt/crafty/bin/python install --no-cache-dir --require-hashes --only-binary :all: \
        --requirement requirements.lock
COPY --from=wheel /wheel /wheel
RUN pip --python /opt/crafty/bin/python install --no-cache-dir --no-deps --no-index /wheel/*.whl && \
    /opt/crafty/bin/crafty --help

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Crafty" \
      org.opencontainers.image.description="Does a remote team's process chores kindly, once, and at the right time." \
      org.opencontainers.image.licenses="AGPL-3.0-or-later" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN useradd --no-log-init --uid 10001 --home-dir /data --create-home crafty
COPY --from=install /opt/crafty /opt/crafty
ENV PATH=/opt/crafty/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    CRAFTY_HOST=0.0.0.0 \
    CRAFTY_DATA_DIR=/data
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
ENTRYPOINT ["crafty"]
CMD ["up"]
