#!/usr/bin/env bash
# Build CoreDNS from its Go modules (go.mod beside this file), to ask it the same questions as our name server, and for
# tests with packets. What is there already stays. Once: some minutes and 2 GiB of Go caches on two cores.
set -euo pipefail

VERSION=v1.15.0  # the same as in go.mod; multicluster zones came with 1.12.2
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TARGET=${XDG_CACHE_HOME:-$HOME/.cache}/hansa/coredns/$VERSION

if [[ -x $TARGET/coredns ]]; then
  echo "CoreDNS $VERSION is ready in $TARGET"
  exit 0
fi
# shellcheck source=../find_go.sh
source "$HERE/../find_go.sh"
GO_PROGRAM=$(find_go)
mkdir -p "$TARGET"
cd "$HERE"
# go.mod names the toolchain it needs; an older Go fetches that one by itself
export CGO_ENABLED=0 GOTOOLCHAIN=${GOTOOLCHAIN:-auto} GOFLAGS=-mod=readonly
trap 'rm -f "$TARGET"/.coredns.$$' EXIT
"$GO_PROGRAM" build -trimpath -ldflags "-s -w" -o "$TARGET/.coredns.$$" github.com/coredns/coredns
mv "$TARGET/.coredns.$$" "$TARGET/coredns"  # in one step: what has the name is whole
echo "CoreDNS $VERSION is ready in $TARGET"
