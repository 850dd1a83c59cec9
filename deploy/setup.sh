#!/usr/bin/env bash
# Makes the virtual environment from the lock file. Says in one line what is missing.
set -euo pipefail
venv=$1

fail() { printf 'crafty: %s\n' "$1" >&2; exit 1; }

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
  local name
  for name in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11; do
    if [ -n "$name" ] && command -v "$name" >/dev/null && is_new_enough "$name"; then echo "$name"; return; fi
  done
}

python=$(find_python)
[ -n "$python" ] || fail 'Python 3.11 or newer is needed: install it (apt-get install python3.11 python3.11-venv), or set PYTHON to its path.'
"$python" -c 'import venv, ensurepip' 2>/dev/null || fail "the venv module of $python is missing: install it (apt-get install python3-venv)."

log=$(mktemp)
trap 'rm -f "$log"' EXIT
{
  [ -x "$venv/bin/python" ] && is_new_enough "$venv/bin/python" || "$python" -m venv --clear "$venv"
} >"$log" 2>&1 || { cat "$log" >&2; fail "no virtual environment could be made in $venv: see above."; }

pip() { PIP_DISABLE_PIP_VERSION_CHECK=1 "$venv/bin/python" -m pip --quiet "$@"; }
{
  pip install --require-hashes --only-binary :all: --requirement requirements-dev.lock &&
  pip install --no-deps --no-build-isolation --editable .
} >"$log" 2>&1 || { cat "$log" >&2; fail 'the dependencies could not be installed: see above; pip needs to reach a package index, and wheels for this machine (Linux or macOS on x86-64 or Arm).'; }
