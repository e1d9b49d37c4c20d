#!/bin/sh
# gate          one change as JSON on standard input; prints the answer
# gate status   prints the status
# gate drain MS waits until no request is in flight at the door, at most MS milliseconds; prints how many are left
set -eu

ask() { curl -sS --max-time 10 --unix-socket /run/door/admin.sock "$@" http://door/gate; }

in_flight() { ask | sed -n 's/.*"inFlight":\([0-9]*\).*/\1/p'; }

# Milliseconds since the machine started: a clock that is set must not lengthen or end a wait.
now() { read -r up _ < /proc/uptime; echo "${up%.*}${up#*.}0"; }

case "${1:-}" in
  "") ask --data-binary @- ;;
  status) ask ;;
  drain)
    until=$(($(now) + $2))
    quiet=0
    while :; do
      left=$(in_flight)
      # Twice in a row: the two numbers behind it are not read at one instant.
      if [ "$left" = 0 ]; then quiet=$((quiet + 1)); else quiet=0; fi
      if [ "$quiet" -ge 2 ] || [ "$(now)" -ge "$until" ]; then break; fi
      sleep 0.01
    done
    echo "$left"
    ;;
  *) echo "usage: gate [status | drain MS]" >&2; exit 64 ;;
esac
