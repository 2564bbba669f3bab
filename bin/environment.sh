# Sourced by the scripts beside it: from the root of the repository, with nothing that asks questions.
# shellcheck shell=bash
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

# The terminal of a fresh machine often has no UTF-8 locale; Elixir wants one for file names and for what it prints.
export ELIXIR_ERL_OPTIONS="${ELIXIR_ERL_OPTIONS:-} +fnu"
if [ "$(locale charmap 2>/dev/null)" != "UTF-8" ]; then
  for name in C.UTF-8 C.utf8 en_US.UTF-8; do
    if locale -a 2>/dev/null | grep -qx "$name"; then
      export LC_ALL="$name"
      break
    fi
  done
fi

# rustup's usual place, which a new shell may not have in its PATH yet.
if ! command -v cargo >/dev/null 2>&1 && [ -x "${HOME:-/nonexistent}/.cargo/bin/cargo" ]; then
  export PATH="$HOME/.cargo/bin:$PATH"
fi
