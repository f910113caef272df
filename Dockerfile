# The daemon, or any verb of molsieve, in a container. Builds from this repository alone:
#
#   docker build -t molsieve .
#   docker run -v molsieve:/var/lib/molsieve -v /srv/libraries:/srv/libraries molsieve
#   docker run --gpus all -v "$PWD:/data" -w /data -u "$(id -u)" --no-healthcheck molsieve run job.toml
#
# The tags of the two base images move. A release is built from fixed ones; `docker buildx imagetools inspect` says
# their digests:
#
#   docker build --build-arg RUST_DIGEST=@sha256:… --build-arg DEBIAN_DIGEST=@sha256:… -t molsieve .
#
# Without a container engine, packaging/prove.sh follows the same instructions in a folder.
ARG RUST_VERSION=1.95.0
ARG DEBIAN_VERSION=bookworm
ARG RUST_DIGEST=
ARG DEBIAN_DIGEST=

FROM rust:${RUST_VERSION}-slim-${DEBIAN_VERSION}${RUST_DIGEST} AS builder
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        'binutils=2.40*' 'g++=4:12.2.*' 'python3=3.11.*' 'python3-pip=23.0.*' \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# RDKit comes first, because it changes less often than the sources.
COPY scripts/rdkit-prefix.sh scripts/rdkit-release.sh scripts/rdkit-wheels.txt scripts/
RUN scripts/rdkit-prefix.sh .rdkit
COPY . .
RUN cargo build --release --locked --bin molsieve
RUN packaging/stage.sh target/release/molsieve /out \
    && install -d /out/usr/share/doc/molsieve \
    && packaging/copyright.py >/out/usr/share/doc/molsieve/copyright \
    && packaging/sbom.py /out >/out/usr/share/doc/molsieve/molsieve.cdx.json \
    && install -D -m 0644 -t /out/usr/share/molsieve examples/natural_products.csv \
    && install -D -m 0644 -t /out/usr/share/molsieve/rules examples/rules/natural_products.toml

FROM debian:${DEBIAN_VERSION}-slim${DEBIAN_DIGEST}
# libvulkan1 is for the engine wgpu, where a Vulkan driver is mounted into the container.
RUN apt-get update \
    && apt-get install -y --no-install-recommends 'libstdc++6=12.2.*' 'libvulkan1=1.3.*' \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 10001 molsieve \
    && useradd --system --uid 10001 --gid molsieve --home-dir /var/lib/molsieve --no-create-home \
        --shell /usr/sbin/nologin molsieve \
    && install -d -m 0700 -o molsieve -g molsieve /var/lib/molsieve \
    && install -d -m 0755 -o molsieve -g molsieve /run/molsieve
COPY --from=builder /out/ /
# NVIDIA's container toolkit mounts the node's driver. molsieve uses CUDA and NVML of it.
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    MOLSIEVE_SOCKET=/run/molsieve/molsieve.sock
USER 10001:10001
WORKDIR /var/lib/molsieve
VOLUME /var/lib/molsieve
# The daemon stops its jobs at a checkpoint. Give it time: docker stop --time 300.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["/usr/bin/molsieve", "ls", "--limit", "1", "--json"]
ENTRYPOINT ["/usr/bin/molsieve"]
CMD ["serve", "--state", "/var/lib/molsieve", "--socket", "/run/molsieve/molsieve.sock", "--log-format", "json"]
