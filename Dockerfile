# Not built by this project's tests, which run where there is no container engine. docs/operating.md has the commands.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --package switchboard

FROM debian:bookworm-slim
# Certificates: Telegram is called over https.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin switchboard \
    && install --directory --owner switchboard --group switchboard --mode 0700 /data
COPY --from=build /src/target/release/switchboard /usr/local/bin/switchboard
USER switchboard
WORKDIR /data
ENV SWITCHBOARD_DATA_DIR=/data SWITCHBOARD_LISTEN=0.0.0.0:4000
VOLUME /data
EXPOSE 4000
ENTRYPOINT ["switchboard"]
CMD ["serve"]
