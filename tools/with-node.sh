#!/bin/sh
# tools/with-node.sh FILE [ARG…]: installs the npm packages when they are missing or out of date, then runs FILE (relative to
# the repository) on the Node that came with them. Everything it says goes to stderr.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd -P)
installed=$root/node_modules/.package-lock.json

say() { printf 'vedette: %s\n' "$*" >&2; }

stale() {
  [ ! -f "$installed" ] || [ -n "$(find "$root/package-lock.json" -newer "$installed")" ]
}

install() {
  lock=$root/.installing
  while ! mkdir "$lock" 2>/dev/null; do
    owner=$(cat "$lock/pid" 2>/dev/null || true)
    if [ -n "$owner" ] && ! kill -0 "$owner" 2>/dev/null; then
      rm -rf "$lock"
    else
      [ -n "${waiting:-}" ] || say 'another process installs the npm packages; waiting for it'
      waiting=yes
      sleep 1
    fi
  done
  trap 'rm -rf "$lock"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  echo $$ >"$lock/pid"
  if stale; then
    command -v npm >/dev/null 2>&1 || {
      say 'npm is needed to install the packages: install Node.js 20 or newer (https://nodejs.org), then try again'
      exit 3
    }
    say 'installing npm packages (once)'
    # not npm ci: it refuses a lock file without the optional packages of other platforms, which not every registry has
    (cd "$root" && npm install --no-save --ignore-scripts --no-audit --no-fund --loglevel=error >&2) || {
      say 'npm install failed: see above; check the network, then try again'
      exit 3
    }
    touch "$installed"
  fi
  rm -rf "$lock"
  trap - EXIT INT TERM
}

if stale; then install; fi
# what only add-ons are built with: a third of Node's package
for headers in "$root"/node_modules/node-*/include; do
  if [ -d "$headers" ]; then rm -rf "$headers"; fi
done

node=
for candidate in "$root"/node_modules/node-linux-*/bin/node "$root"/node_modules/node-darwin-*/bin/node "$root"/node_modules/node-bin-*/bin/node; do
  if [ -x "$candidate" ]; then
    node=$candidate
    break
  fi
done
if [ -z "$node" ]; then
  major=$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)
  if [ "$major" -lt 24 ]; then
    say "Node.js 24 or newer is needed (found: $major): run npm install in $root, or install it from https://nodejs.org"
    exit 3
  fi
  node=node
fi

# compiled modules are kept beside the packages, so that processes start faster
NODE_COMPILE_CACHE=${NODE_COMPILE_CACHE:-$root/node_modules/.cache/vedette}
export NODE_COMPILE_CACHE
file=$1
shift
exec "$node" "$root/$file" "$@"
