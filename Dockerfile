FROM golang:1.26 AS build
WORKDIR /src

# The dependencies change less often than the code: a layer of their own.
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

# What a config writes beside itself, like the quickstart's dead letters: mount a
# volume here to keep it.
COPY --from=build --chown=65532:65532 /out/data /data
WORKDIR /data
USER 65532:65532

# A container's own loopback takes nobody's deliveries. The admin endpoints stay
# on it, unless HOOKSWITCH_ADMIN_ADDRESS says otherwise.
ENV HOOKSWITCH_ADDRESS=0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=6s --start-period=5s CMD ["/hookswitch", "health"]

ENTRYPOINT ["/hookswitch"]
CMD ["run", "/configs/quickstart.yaml"]
