# syntax=docker/dockerfile:1
# The service and its commands; with `node /opt/pushforward/dist/worker.js` as the command, a worker on CPUs.
#
#   docker build -f deploy/docker/service.Dockerfile -t pushforward:0.1.0 .
#   docker run --read-only --tmpfs /tmp -v state:/var/lib/pushforward --network host pushforward:0.1.0
#
# The base is pinned by its tag. For bytes that never change, give its digest as your registry tells it:
# --build-arg NODE_IMAGE=node:24.21.0-trixie-slim@sha256:...
ARG NODE_IMAGE=node:24.21.0-trixie-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
# The scripts of the packages are run, ours is not: it compiles what is not here yet.
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts && npm rebuild
COPY tsconfig.json LICENSE README.md ./
COPY schema schema
COPY priors priors
COPY src src
# What `files` of package.json names, and the packages that it needs at run time, without builds for other systems.
RUN npm run build \
    && npm pack --ignore-scripts \
    && mkdir app \
    && tar -xzf pushforward-*.tgz -C app --strip-components=1 \
    && npm prune --omit=dev --ignore-scripts \
    && rm -rf node_modules/onnxruntime-node/bin/napi-v6/darwin node_modules/onnxruntime-node/bin/napi-v6/win32 \
    && mv node_modules app/

FROM ${NODE_IMAGE}
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="pushforward" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.licenses="Apache-2.0"
# A user with a name: the PostgreSQL that the service brings looks it up.
RUN groupadd --gid 10001 pushforward \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/pushforward --shell /usr/sbin/nologin pushforward \
    && install -d -o 10001 -g 10001 /var/lib/pushforward \
    && ln -s /opt/pushforward/dist/main.js /usr/local/bin/pushforward
WORKDIR /opt/pushforward
COPY --from=build /build/app ./
# It writes here and to /tmp, nowhere else: everything but these may be read-only.
ENV NODE_ENV=production PUSHFORWARD_STATE_DIR=/var/lib/pushforward
VOLUME /var/lib/pushforward
# A number, so that `runAsNonRoot` can be checked.
USER 10001:10001
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["node", "-e", "const { PUSHFORWARD_PROBE_PORT: probe, PORT } = process.env; fetch(`http://127.0.0.1:${probe || PORT || 4000}/healthz`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/opt/pushforward/dist/main.js"]
CMD ["serve"]
