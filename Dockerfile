# Builds both programs with the steps of ./dev, and holds them in a small image.
#
# The CNI binary is static and has to be copied to the host, which `railhead install` does; the agent runs from this image. It may be
# named as the image of the programs that it replaces: docs/operations.md#in-an-operators-place.
#
#   docker build -t <your registry>/railhead:0.1.0 .
#   --build-arg BASE=debian:bookworm@sha256:… --build-arg SLIM=debian:bookworm-slim@sha256:…    for a build that can be repeated
ARG BASE=debian:bookworm
ARG SLIM=debian:bookworm-slim

FROM ${BASE} AS build
WORKDIR /src
# What is installed changes rarely: a layer that a change of the source does not touch.
COPY dev ./
RUN ./dev setup
COPY . .
RUN ./dev build release railhead railhead-agent

FROM ${SLIM}
LABEL org.opencontainers.image.title="Railhead" \
      org.opencontainers.image.description="RDMA networks for training pods: device plugin and meta-CNI" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgrpc++1.51 libprotobuf32 libyaml-cpp0.7 \
        libprometheus-cpp-core1.0 libcurl4 ca-certificates libibverbs1 ibverbs-providers \
    && apt-get clean && rm -rf /var/lib/apt/lists/* /usr/share/man
COPY --from=build /src/build/release/bin/railhead-agent /src/build/release/bin/railhead /src/image/ /usr/bin/
COPY --from=build /src/LICENSE /usr/share/doc/railhead/copyright
ENTRYPOINT ["/usr/bin/entrypoint"]
