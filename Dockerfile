# One image for server, workers and the annotators' page; compose.yaml says which runs what.
FROM python:3.11-slim-bookworm

# A CPU build of torch; for GPU workers build with --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu128.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG EXTRAS=gate,llm,review,scale,train

WORKDIR /app
COPY . .
RUN pip install --no-cache-dir --constraint constraints.txt --extra-index-url "${TORCH_INDEX}" --editable ".[${EXTRAS}]" \
    && useradd --create-home --uid 1000 slidesmith \
    && mkdir /data /app/demo-out /home/slidesmith/.prefect \
    && chown slidesmith /data /app/demo-out /home/slidesmith/.prefect
USER slidesmith
ENV SLIDESMITH_HOME=/app PYTHONUNBUFFERED=1
ENTRYPOINT []
CMD ["slidesmith", "--help"]
