# Crafty's image: `docker build -t crafty .`; runs as a user without rights, writes only to /data.
FROM python:3.13-slim AS build
WORKDIR /build
COPY requirements.lock ./
RUN python -m venv /opt/crafty && \
    /opt/crafty/bin/pip install --no-cache-dir --require-hashes --only-binary :all: --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY service ./service
# The code is copied, not installed: building a package would need tools that no lock file of the image pins.
RUN cp -r service "$(/opt/crafty/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/" && \
    printf '#!/opt/crafty/bin/python\nfrom service.cli import main\n\nmain()\n' > /opt/crafty/bin/crafty && \
    chmod 755 /opt/crafty/bin/crafty

FROM python:3.13-slim
LABEL org.opencontainers.image.title="Crafty" \
      org.opencontainers.image.licenses="AGPL-3.0-or-later"
RUN useradd --system --uid 10001 --home-dir /data --create-home crafty
COPY --from=build /opt/crafty /opt/crafty
ENV PATH=/opt/crafty/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    CRAFTY_HOST=0.0.0.0 \
    CRAFTY_DATA_DIR=/data
USER crafty
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
ENTRYPOINT ["crafty"]
CMD ["up"]
