# Builds both programs with the steps of ./dev, and holds them in a small image.
#
# The CNI binary is static and has to be copied to the host; the agent runs from this image.
FROM debian:bookworm AS build
WORKDIR /src
COPY . .
RUN ./dev setup && ./dev build release

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgrpc++1.51 libprotobuf32 libyaml-cpp0.7 \
        libprometheus-cpp-core1.0 libibverbs1 ibverbs-providers \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /src/build/release/bin/railhead-agent /src/build/release/bin/railhead /usr/bin/
COPY --from=build /src/LICENSE /usr/share/doc/railhead/copyright
ENTRYPOINT ["/usr/bin/railhead-agent"]
