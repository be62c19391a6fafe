# S2's open server, built by cargo: the version that Headrace is tested with. Takes its time, once.
FROM rust:1.95.0-bookworm AS build
RUN cargo install --locked s2-lite --version 0.43.4 --bin server --root /opt/s2-lite

FROM debian:bookworm-20250908-slim
RUN install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/s2-lite
COPY --from=build /opt/s2-lite/bin/server /usr/local/bin/s2-lite
ENV S2LITE_NO_DASHBOARD=1
USER 10001:10001
VOLUME /var/lib/s2-lite
EXPOSE 4566
STOPSIGNAL SIGTERM
ENTRYPOINT ["s2-lite"]
# In a folder: without one it forgets everything when it ends.
CMD ["--port", "4566", "--local-root", "/var/lib/s2-lite"]
