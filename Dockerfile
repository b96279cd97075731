# SPDX-License-Identifier: Apache-2.0
# The server and its client, on Debian slim, as an unprivileged user, with no library that they do not link.
#
#   docker build -t objectdino .                          # the default model inside
#   docker build -t objectdino --build-arg MODEL=mounted .   # none: mount a folder on /model
#   docker build -t objectdino:cuda --target cuda .       # for --device cuda
#   docker run --read-only --cap-drop ALL --security-opt no-new-privileges -p 127.0.0.1:50051:50051 objectdino
#
# Needs BuildKit. For a release, pin BASE by digest (debian@sha256:...). PIP_EXTRA_INDEX_URL may name an index with the CPU
# build of LibTorch; without it the wheel of the default index serves, which holds more than is used. scripts/image-check
# runs these steps where there is no Docker.
ARG BASE=debian:bookworm-slim
ARG MODEL=baked

# ---- build: the Debian packages, in a layer of tools that changes seldom and one of sources
FROM ${BASE} AS tools
ARG PIP_EXTRA_INDEX_URL=
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
WORKDIR /src
COPY scripts/package scripts/fetch_model scripts/apt-packages.txt scripts/
COPY scripts/lib/common.sh scripts/lib/fetch_model.py scripts/lib/
COPY scripts/requirements scripts/requirements
RUN scripts/package --prepare

FROM tools AS build
COPY . .
RUN --mount=type=cache,target=/root/.cache/ccache scripts/package

# ---- closure: what the programs load, beside what the base has, in /closure
FROM ${BASE} AS closure
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
COPY scripts/lib/closure.sh /closure.sh
RUN --mount=type=bind,from=build,source=/src/out/packages,target=/packages \
    bash /closure.sh /packages /closure

# ---- the model: baked in, or a place to mount it
FROM tools AS model-baked
RUN scripts/fetch_model && cp -r models/dinov2-small /model

FROM ${BASE} AS model-mounted
RUN mkdir /model

# hadolint ignore=DL3006
FROM model-${MODEL} AS model

# ---- the CUDA twin of the above: the same steps with the other LibTorch and its libraries
FROM ${BASE} AS tools-cuda
ARG PIP_EXTRA_INDEX_URL=
ENV OBJECTDINO_CUDA=1
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
WORKDIR /src
COPY scripts/package scripts/fetch_model scripts/apt-packages.txt scripts/
COPY scripts/lib/common.sh scripts/lib/fetch_model.py scripts/lib/
COPY scripts/requirements scripts/requirements
RUN scripts/package --prepare

FROM tools-cuda AS build-cuda
COPY . .
RUN --mount=type=cache,target=/root/.cache/ccache scripts/package

FROM ${BASE} AS closure-cuda
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
COPY scripts/lib/closure.sh /closure.sh
RUN --mount=type=bind,from=build-cuda,source=/src/out/packages,target=/packages \
    bash /closure.sh /packages /closure

# ---- what runs
FROM ${BASE} AS base
# Inside a container every address is the container's own: what is published, and to whom, is decided outside.
ENV OBJECTDINO_MODEL=/model \
    OBJECTDINO_LISTEN=0.0.0.0:50051 \
    OBJECTDINO_METRICS_LISTEN=0.0.0.0:9464 \
    OBJECTDINO_ALLOW_NON_LOOPBACK=true \
    OMP_WAIT_POLICY=passive
EXPOSE 50051 9464
USER 65532:65532
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["/usr/bin/objectdino", "health", "--server", "127.0.0.1:50051"]
ENTRYPOINT ["/usr/bin/objectdino-server"]

FROM base AS cuda
ENV OBJECTDINO_DEVICE=cuda \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=model /model /model
COPY --from=closure-cuda /closure /

FROM base AS cpu
COPY --from=model /model /model
COPY --from=closure /closure /
