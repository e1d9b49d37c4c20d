#!/bin/bash
# routes claim RUN  from now on only this run may apply routes
# routes apply RUN  a whole nginx configuration on standard input, its first line `# generation ID`; prints
#                   `applied` or `unchanged` once that generation, and no older one, takes requests.
#                   Exit 3: refused by nginx; 4: it does not come into force; 5: another run has claimed the routes.
#                   The old one then stays.
# routes show       prints the generation in force
# routes inflight   prints the number of requests in flight, those of leaving workers included, without streams
# routes streams    prints the number of websockets and event streams that are open, those of leaving workers included
# routes drain MS   waits until there are none, at most MS milliseconds; prints how many are left
# routes settle MS  waits until no worker of older routes has a request any more, at most MS milliseconds; prints how
#                   many such workers are left
set -euo pipefail

folder=/etc/gateway/routes
# Milliseconds since the machine started: a clock that is set must not lengthen or end a wait.
now() { local up; read -r up _ < /proc/uptime; echo "${up/./}0"; }
ask() { curl -sS --max-time 5 --unix-socket /run/router/admin.sock "http://router/$1"; }

# nginx counts reading and writing over all workers of all generations; this request is one of them. Streams are asked
# for before: the stages of a pipe run side by side, and the one question would be in flight for the other.
in_flight() {
  local open
  open=$(streams)
  ask status | awk -v open="$open" '/^Reading/ { n = $2 + $4 - 1 - open; print n < 0 ? 0 : n }'
}

# None before the first routes, whose configuration does not count them.
streams() { ask streams | awk '/^[0-9]+$/ { n = $1 } END { print n + 0 }'; }

# The children of process $1.
children() {
  local file pid parent
  for file in /proc/[0-9]*/stat; do
    { read -r pid _ _ parent _ < "$file"; } 2>/dev/null || continue
    [ "$parent" != "$1" ] || echo "$pid"
  done
}

title() { { tr '\0' ' ' < "/proc/$1/cmdline"; } 2>/dev/null || true; }

# Whether one of these workers may still accept a connection.
accepting() {
  local pid
  for pid in "$@"; do
    case "$(title "$pid")" in
      "" | *"shutting down"*) ;;
      *) return 0 ;;
    esac
  done
  return 1
}

in_force() { # generation, old workers...
  local wanted=$1 until
  shift
  until=$(($(now) + 10000))
  while [ "$(ask generation 2>/dev/null || true)" != "$wanted" ] || accepting "$@"; do
    [ "$(now)" -lt "$until" ] || return 1
    sleep 0.01
  done
}

unstored() { echo "the routes cannot be stored" >&2; exit 4; }

lock() {
  exec 9> "$folder/.lock" || unstored
  flock -w 60 9 || { echo "another change of the routes is under way" >&2; exit 4; }
}

claim() { # run
  lock
  echo "$1" > "$folder/.run.new" || unstored
  sync "$folder/.run.new" || unstored
  mv "$folder/.run.new" "$folder/.run"
}

apply() { # run
  local new old=$folder/.old.conf file=$folder/nginx.conf wanted master owner
  local -a workers
  # Read before the lock is taken: a program that is stopped in the middle of its text must not keep others out.
  new=$(mktemp "$folder/.new.XXXXXX") || unstored
  # shellcheck disable=SC2064
  trap "rm -f '$new'" EXIT
  cat > "$new" || unstored
  lock
  owner=$(cat "$folder/.run" 2>/dev/null || true)
  [ -z "$owner" ] || [ "$owner" = "$1" ] || { echo "run $owner has claimed the routes" >&2; exit 5; }
  wanted=$(sed -n '1s/^# generation //p' "$new")
  [ -n "$wanted" ] || { echo "the first line names no generation" >&2; exit 3; }
  if [ "$(ask generation 2>/dev/null || true)" = "$wanted" ] && cmp -s "$new" "$file"; then
    echo unchanged
    return
  fi
  nginx -t -q -e /dev/stderr -c "$new" || exit 3
  master=$(cat /run/router/nginx.pid)
  mapfile -t workers < <(children "$master")
  cp "$file" "$old" && sync "$new" || unstored
  mv "$new" "$file"
  kill -HUP "$master"
  if ! in_force "$wanted" "${workers[@]}"; then
    mv "$old" "$file"
    kill -HUP "$master"
    echo "nginx accepted the configuration but generation $wanted does not answer" >&2
    exit 4
  fi
  rm -f "$old"
  echo applied
}

drain() {
  local until=$(($(now) + $1)) quiet=0 left
  while :; do
    left=$(in_flight)
    if [ "$left" = 0 ]; then quiet=$((quiet + 1)); else quiet=0; fi
    if [ "$quiet" -ge 2 ] || [ "$(now)" -ge "$until" ]; then break; fi
    sleep 0.01
  done
  echo "$left"
}

leaving() {
  local pid count=0
  for pid in $(children "$(cat /run/router/nginx.pid)"); do
    case "$(title "$pid")" in *"shutting down"*) count=$((count + 1)) ;; esac
  done
  echo "$count"
}

settle() {
  local until=$(($(now) + $1)) left
  while left=$(leaving); [ "$left" -gt 0 ] && [ "$(now)" -lt "$until" ]; do sleep 0.02; done
  echo "$left"
}

case "${1:-}" in
  claim) claim "$2" ;;
  apply) apply "$2" ;;
  settle) settle "$2" ;;
  show) ask generation ;;
  inflight) in_flight ;;
  streams) streams ;;
  drain) drain "$2" ;;
  *) echo "usage: routes claim RUN | apply RUN | show | inflight | streams | drain MS | settle MS" >&2; exit 64 ;;
esac
