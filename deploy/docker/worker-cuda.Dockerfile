# syntax=docker/dockerfile:1
# Workers on NVIDIA GPUs: the files of the service image, CUDA 12 with cuDNN 9, and ONNX Runtime's CUDA provider.
#
#   docker build -f deploy/docker/service.Dockerfile -t pushforward:0.1.0 .
#   docker build -f deploy/docker/worker-cuda.Dockerfile -t pushforward-worker-cuda:0.1.0 --build-arg SERVICE_IMAGE=pushforward:0.1.0 .
#
# The provider is too large for the npm registry: the script of its package fetches it from NuGet while the image is built.
# The bases are pinned by their tags. For bytes that never change, give their digests as your registry tells them:
# --build-arg CUDA_IMAGE=nvidia/cuda:12.8.1-cudnn-runtime-ubuntu24.04@sha256:...
ARG SERVICE_IMAGE=pushforward:0.1.0
ARG NODE_IMAGE=node:24.21.0-trixie-slim
ARG CUDA_IMAGE=nvidia/cuda:12.8.1-cudnn-runtime-ubuntu24.04

FROM ${SERVICE_IMAGE} AS service

FROM ${NODE_IMAGE} AS provider
WORKDIR /opt/pushforward
COPY --from=service /opt/pushforward ./
RUN node node_modules/onnxruntime-node/script/install.js --onnxruntime-node-install=cuda12

FROM ${CUDA_IMAGE}
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="pushforward-worker-cuda" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.licenses="Apache-2.0"
COPY --from=provider /usr/local/bin/node /usr/local/bin/node
WORKDIR /opt/pushforward
COPY --from=provider /opt/pushforward ./
ENV NODE_ENV=production PUSHFORWARD_STATE_DIR=/tmp/pushforward
# A number, so that `runAsNonRoot` can be checked.
USER 10001:10001
# It ends with its task, and listens to nothing.
HEALTHCHECK NONE
ENTRYPOINT ["node", "/opt/pushforward/dist/worker.js"]
