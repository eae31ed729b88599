# syntax=docker/dockerfile:1
# escape=\
# check=skip=all

# A comment.
ARG GO=1.24 BASE
ARG EMPTY=

FROM --platform=$BUILDPLATFORM golang:${GO} AS Build
ARG TARGETARCH
ENV CGO_ENABLED=0 \
    # a comment between
    GOFLAGS="-trimpath -v" \

    PATH=$PATH:/go/bin
ENV LEGACY a value with "quotes"
WORKDIR /src
RUN --mount=type=bind,target=. --mount=type=cache,id=go,dst=/root/.cache,sharing=locked \
    --mount=type=secret,id=token,required --network=none \
    go build -o /out/app ./... \
      && echo done
RUN ["go", "vet", "./..."]
RUN [ -f /out/app ]
RUN <<EOF
set -e
  echo "$HOME"
EOF
RUN <<-'PY' python3 - 3<<"LAST ONE" && cat /dev/fd/3
	import sys
	  print(sys.argv)
	PY
kept	tabs
LAST ONE

from scratch
MAINTAINER Somebody <somebody@example.org>
LABEL a=b "c d"="e f" g=
LABEL old style label
COPY --from=build --chown=1000:1000 --chmod=0755 --link /out/app /app
COPY --parents --exclude=*.md --exclude=docs/** ["a file", "another", "/dest dir/"]
COPY <<EOF <<"raw" /etc/
x=$x
EOF
y=$y
raw
ADD --keep-git-dir=true --checksum=sha256:aaaa https://example.org/x.git#v1 /git
ADD --unpack=false x.tar.gz /
VOLUME /data /cache
VOLUME ["/with space"]
USER 1000:1000
EXPOSE 80 443/tcp 8000-8010/udp
STOPSIGNAL SIGTERM
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
HEALTHCHECK --interval=1m30s --timeout=500ms --start-period=5s --start-interval=1s --retries=3 CMD curl -f localhost
HEALTHCHECK NONE
HEALTHCHECK CMD ["/check"]
ONBUILD COPY . /srv
ONBUILD RUN <<EOF
make
EOF
ENTRYPOINT ["/app"]
CMD serve --port 80
