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

# Configs write into this folder, like the quickstart its dead letters. Mount a
# volume here to keep what they write.
COPY --from=build --chown=65532:65532 /out/data /data
WORKDIR /data
USER 65532:65532

# Nobody outside of a container reaches its loopback, so deliveries are taken on all
# addresses. The admin endpoints stay on loopback, unless HOOKSWITCH_ADMIN_ADDRESS
# says otherwise.
ENV HOOKSWITCH_ADDRESS=0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=6s --start-period=5s CMD ["/hookswitch", "health"]

ENTRYPOINT ["/hookswitch"]
CMD ["run", "/configs/quickstart.yaml"]
