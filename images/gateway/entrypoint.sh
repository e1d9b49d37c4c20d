#!/bin/sh
# Starts nginx as the door or as the router, in the foreground, as process 1.
set -eu

# A held request is a connection, a passed one is two: as many files as the container is allowed.
ulimit -n "$(ulimit -H -n)" || true

case "${1:-}" in
  door)
    # A killed nginx leaves its unix sockets behind, and an existing file stops the next one from listening.
    rm -f /run/door/*.sock /run/door/nginx.pid
    exec nginx -e /dev/stderr -c /etc/gateway/door.conf -g 'daemon off;'
    ;;
  router)
    rm -f /run/router/*.sock /run/router/nginx.pid /run/gateway/*.sock
    # Until routes are applied there is an admin socket and nothing else: the door waits.
    [ -s /etc/gateway/routes/nginx.conf ] || cp /etc/gateway/router.conf /etc/gateway/routes/nginx.conf
    exec nginx -e /dev/stderr -c /etc/gateway/routes/nginx.conf -g 'daemon off;'
    ;;
  *)
    echo "usage: rollback-gateway door|router" >&2
    exit 64
    ;;
esac
