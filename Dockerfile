# Build: docker build -t sunslot .    Run: see compose.yaml, or README.md "In a container".
FROM python:3.13-slim AS build
RUN pip install --no-cache-dir uv
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
WORKDIR /sunslot
COPY pyproject.toml uv.lock ./
RUN uv sync --locked --no-dev --no-install-project
COPY README.md LICENSE NOTICE alembic.ini ./
COPY app app
COPY migrations migrations
COPY simulators simulators
COPY proofs proofs
RUN uv sync --locked --no-dev

FROM python:3.13-slim
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 10001 sunslot && install -d -o sunslot -g sunslot /var/lib/sunslot
WORKDIR /sunslot
COPY --from=build /sunslot /sunslot
ENV PATH=/sunslot/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    SUNSLOT_DATA_DIR=/var/lib/sunslot \
    SUNSLOT_HTTP_HOST=0.0.0.0 \
    SUNSLOT_OCPP_HOST=0.0.0.0
USER sunslot
VOLUME /var/lib/sunslot
EXPOSE 8000 9000
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health/live', timeout=4)"]
STOPSIGNAL SIGTERM
CMD ["sunslot", "serve"]
