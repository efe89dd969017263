FROM python:3.13-slim AS build
WORKDIR /src
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 UV_NO_CACHE=1
COPY requirements/build.txt requirements/run.txt requirements/
RUN python -m venv --without-pip /opt/llmitm \
    && pip install --require-hashes -r requirements/build.txt \
    && uv pip install --python /opt/llmitm/bin/python --compile-bytecode \
        --require-hashes -r requirements/run.txt
COPY . .
RUN pip wheel . --no-deps --no-build-isolation -w dist \
    && uv pip install --python /opt/llmitm/bin/python --compile-bytecode --no-deps dist/*.whl

FROM python:3.13-slim
# No home, no shell: nothing but the gateway runs as this user. data/ is all it may write.
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin llmitm \
    && install -d -o llmitm -g llmitm /app /app/data
WORKDIR /app
COPY --from=build /opt/llmitm /opt/llmitm
COPY config config
COPY policies policies
ENV PATH=/opt/llmitm/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001
VOLUME /app/data
EXPOSE 4000 4001 4002
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["python", "-c", \
    "import urllib.request as r; r.urlopen('http://127.0.0.1:4001/healthz', timeout=2)"]
ENTRYPOINT ["llmitm"]
CMD ["serve"]
