# docker build -t llmitm .   (or make docker)
# docker run -p 127.0.0.1:4000:4000 -e LLMITM_DEV_KEY=… -e LLMITM_ADMIN_TOKEN=… -e OPENAI_API_KEY=… llmitm

FROM python:3.13.14-slim-trixie AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore UV_NO_CACHE=1
WORKDIR /src
COPY requirements/build.txt requirements/run.txt requirements/
# Packages change seldom and the code often: they are a layer of their own, checked by their hashes.
RUN python -m venv /opt/build \
    && /opt/build/bin/pip install --require-hashes -r requirements/build.txt \
    && python -m venv --without-pip /opt/llmitm \
    && /opt/build/bin/uv pip install --python /opt/llmitm/bin/python --compile-bytecode \
        --require-hashes -r requirements/run.txt
COPY . .
RUN /opt/build/bin/pip wheel . --no-deps --no-build-isolation -w dist \
    && /opt/build/bin/uv pip install --python /opt/llmitm/bin/python --compile-bytecode \
        --no-deps dist/*.whl

FROM python:3.13.14-slim-trixie
LABEL org.opencontainers.image.title="llmitm" \
    org.opencontainers.image.description="A gateway for LLM APIs built on mitmproxy" \
    org.opencontainers.image.licenses="MIT"
# No home, no shell: nothing but the gateway runs as this user. data/ is all it may write.
RUN groupadd --system --gid 10001 llmitm \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin llmitm \
    && install -d -o 10001 -g 10001 /app/data
WORKDIR /app
COPY --from=build /opt/llmitm /opt/llmitm
COPY deploy/docker/gateway.yaml config/gateway.yaml
COPY policies policies
# TMPDIR: calls that wait for a database that is down outlive the container there.
ENV PATH=/opt/llmitm/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 TMPDIR=/app/data
USER 10001:10001
VOLUME /app/data
EXPOSE 4000 4001 4002
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["python", "-c", \
    "import urllib.request as r; r.urlopen('http://127.0.0.1:4001/healthz', timeout=2)"]
ENTRYPOINT ["llmitm"]
CMD ["serve"]
