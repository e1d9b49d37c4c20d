#!/bin/sh
# healthy MS: repeats a request until it is answered with 2xx, at most MS milliseconds, and prints the last answer's
# status, 000 for none, and how often it asked. Standard input: the request as a curl configuration, which may hold
# secrets and therefore never becomes an argument.
set -u
# Milliseconds since the machine started: a clock that is set must not lengthen or end a wait.
now() { read -r up _ < /proc/uptime; echo "${up%.*}${up#*.}0"; }
until=$(($(now) + $1))
request=$(cat)
pause=25
tries=0
while :; do
  tries=$((tries + 1))
  code=$(printf '%s\n' "$request" | curl -K - -s -o /dev/null -w '%{http_code}')
  case "$code" in 2??) break ;; esac
  [ "$(now)" -lt "$until" ] || break
  sleep "$(printf '0.%03d' "$pause")"
  [ "$pause" -ge 500 ] || pause=$((pause * 2))
done
echo "$code $tries"
