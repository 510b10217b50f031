#!/usr/bin/env bash
# Build etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kubectl of one Kubernetes version from their
# Go modules (go.mod beside this file), and kube-proxy for tests with packets. What is there already stays, so running it
# again is cheap, and an interrupted build goes on where it was. Once: about 12 minutes and 3 GiB of Go caches on two cores.
#
#   tools/kube/build.sh            build what is missing
#   tools/kube/build.sh --dry-run  only say what would be built
set -euo pipefail

VERSION=v1.37.2  # the same as hansa.rig.binaries.KUBERNETES_VERSION
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/hansa/kube
TARGET=$CACHE/$VERSION

declare -A PACKAGES=(
  [etcd]=go.etcd.io/etcd/server/v3
  [kube-apiserver]=k8s.io/kubernetes/cmd/kube-apiserver
  [kube-controller-manager]=k8s.io/kubernetes/cmd/kube-controller-manager
  [kube-scheduler]=k8s.io/kubernetes/cmd/kube-scheduler
  [kube-proxy]=k8s.io/kubernetes/cmd/kube-proxy
  [kubectl]=k8s.io/kubernetes/cmd/kubectl
)
# The same order every time: the big one first shares the most packages with the rest.
PROGRAMS=(kube-apiserver kubectl kube-controller-manager kube-scheduler kube-proxy etcd)

missing=()
for program in "${PROGRAMS[@]}"; do
  [[ -x $TARGET/$program ]] || missing+=("$program")
done
if [[ ${#missing[@]} -eq 0 ]]; then
  echo "Kubernetes $VERSION is ready in $TARGET"
  exit 0
fi
if [[ ${1:-} == --dry-run ]]; then
  echo "would build ${missing[*]} into $TARGET"
  exit 0
fi

mkdir -p "$TARGET"
# One build at a time: two would share the machine and each do all of the work.
exec 9>"$CACHE/build.lock"
if command -v flock >/dev/null && ! flock -n 9; then
  echo "another build is running; waiting for it"
  flock 9
fi

# shellcheck source=../find_go.sh
source "$HERE/../find_go.sh"
GO_PROGRAM=$(find_go)

minor=${VERSION#v*.}
minor=${minor%%.*}
major=${VERSION#v}
major=${major%%.*}
stamp=k8s.io/component-base/version
FLAGS="-s -w -X $stamp.gitVersion=$VERSION -X $stamp.gitMajor=$major -X $stamp.gitMinor=$minor"
FLAGS+=" -X $stamp.gitTreeState=clean"

cd "$HERE"
# go.mod names the toolchain it needs; an older Go fetches that one by itself
export CGO_ENABLED=0 GOTOOLCHAIN=${GOTOOLCHAIN:-auto} GOFLAGS=-mod=readonly
trap 'rm -f "$TARGET"/.*.$$' EXIT
number=0
for program in "${missing[@]}"; do
  number=$((number + 1))
  if [[ -x $TARGET/$program ]]; then
    continue  # the build that we waited for made it
  fi
  echo "[$number/${#missing[@]}] building $program ($("$GO_PROGRAM" env GOVERSION))"
  started=$SECONDS
  "$GO_PROGRAM" build -trimpath -ldflags "$FLAGS" -o "$TARGET/.$program.$$" "${PACKAGES[$program]}"
  mv "$TARGET/.$program.$$" "$TARGET/$program"  # in one step: what has the name is whole
  echo "[$number/${#missing[@]}] built $program in $((SECONDS - started)) s"
done
echo "Kubernetes $VERSION is ready in $TARGET"
