# Builds both programs, and holds them in a small image. `./dev image` does it without a registry, and checks what came out.
#
# The CNI binary is static and has to be copied to the host, which `railhead install` does; the agent runs from this image. It may be
# named as the image of the programs that it replaces: docs/operations.md#in-an-operators-place.
#
#   docker build -t <your registry>/railhead:0.1.0 .
#   --build-arg BASE=debian:bookworm@sha256:… --build-arg SLIM=debian:bookworm-slim@sha256:…    for a build that can be repeated
#   --build-arg CCACHE=ccache                                            for one that compiles only what has changed
ARG BASE=debian:bookworm
ARG SLIM=debian:bookworm-slim

# What is installed changes rarely: two stages that a change of the source does not touch.
FROM ${BASE} AS setup
ARG CCACHE=
WORKDIR /src
COPY cmake/packages ./
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive xargs apt-get install -y --no-install-recommends ${CCACHE} <packages \
    && apt-get clean && rm -rf packages /var/lib/apt/lists/*

FROM ${SLIM} AS libraries
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgrpc++1.51 libprotobuf32 libyaml-cpp0.7 \
        libprometheus-cpp-core1.0 libcurl4 ca-certificates libibverbs1 ibverbs-providers \
    && apt-get clean && rm -rf /var/lib/apt/lists/* /usr/share/man

FROM setup AS build
ARG CCACHE=
COPY . .
RUN --mount=type=cache,target=/root/.cache/ccache \
    CMAKE_CXX_COMPILER_LAUNCHER=${CCACHE} cmake --preset release -D RAILHEAD_TESTS=OFF \
    && CCACHE_MAXSIZE=500M cmake --build --preset release --target railhead railhead-agent

FROM libraries
LABEL org.opencontainers.image.title="Railhead" \
      org.opencontainers.image.description="RDMA networks for training pods: device plugin and meta-CNI" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /src/build/release/bin/railhead-agent /src/build/release/bin/railhead /usr/bin/
COPY image/ /
COPY --from=build /src/LICENSE /usr/share/doc/railhead/copyright
ENTRYPOINT ["/usr/bin/entrypoint"]
