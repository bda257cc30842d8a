FROM golang:1.26 AS build
WORKDIR /src

# The dependencies change less often than the code, so they have a layer of their
# own.
COPY go.mod go.sum ./
RUN go mod download

# docker build --build-arg TAGS=full . adds the components of the build tag full.
ARG TAGS=
COPY . .
RUN CGO_ENABLED=0 go build -tags "$TAGS" -ldflags "-s -w" -o /out/hookswitch ./cmd/hookswitch
RUN mkdir -p /out/data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/hookswitch /hookswitch
COPY configs /configs

# The spool and files of dead letters are here. A new volume of Docker takes over the
# owner of the folder; a folder of the host or a volume of Kubernetes does not, so it
# has to belong to this user (in Kubernetes securityContext.fsGroup: 65532). Give each
# process a volume of its own with a name, as one without a name goes with its
# container, and with it what was acknowledged and is not delivered yet.
COPY --from=build --chown=65532:65532 /out/data /data
VOLUME /data
WORKDIR /data
USER 65532:65532
ENV HOOKSWITCH_SPOOL_DIR=/data/spool

# Nobody outside of a container reaches its loopback, so deliveries are taken on all
# addresses. The admin endpoints stay on loopback, unless HOOKSWITCH_ADMIN_ADDRESS
# says otherwise.
ENV HOOKSWITCH_ADDRESS=0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=6s --start-period=5s CMD ["/hookswitch", "health"]

ENTRYPOINT ["/hookswitch"]
CMD ["run", "/configs/quickstart.yaml"]
