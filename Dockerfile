# syntax=docker/dockerfile:1
# The image of Stoker: `stoker` and `rightsize`, the libraries they load, certificates and time zones; no shell.
#   docker build -t stoker .          podman build -t stoker .
# BASE: a Debian 12 to build on; what runs comes from it, too.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
WORKDIR /src
COPY scripts/setup.sh scripts/
RUN apt-get update -qq && bash -c '. scripts/setup.sh && require_packages "${packages_build[@]}" binutils'
COPY . .
# Earlier builds' objects, where the builder keeps them for us.
RUN --mount=type=cache,target=/ccache CCACHE_DIR=/ccache bash -c '. scripts/setup.sh && build release stoker rightsize' \
    && scripts/image-root build/release/cli /image

FROM scratch
COPY --from=build /image /
ENV PATH=/usr/bin SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 65532:65532
WORKDIR /var/lib/stoker
EXPOSE 6000 6001 8080 8081
HEALTHCHECK --interval=10s --timeout=4s --start-period=10s CMD ["stoker", "health"]
ENTRYPOINT ["stoker"]
CMD ["serve"]
