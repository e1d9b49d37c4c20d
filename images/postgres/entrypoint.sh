#!/bin/sh
# Starts PostgreSQL on the data directory it is given, and makes a new one only when told to.
#
#   PG_INIT=allow      an empty data directory may be initialised
#   PG_SCRAM           the superuser's password as a SCRAM-SHA-256 verifier, needed for that
#   PG_LOCALE          locale of a new data directory (default C.UTF-8)
#   PG_EXPECT_SYSID    system identifier that the data directory must have
#
# Exit 78: the data directory is not what was expected; nothing was changed. Exit 75: another server uses it.
# Arguments that do not begin with "-" are run instead of the server.
set -eu

case "${1:-}" in -* | "") ;; *) exec "$@" ;; esac

unfinished="$PGDATA/.initdb"

refuse() {
  code=$1
  shift
  echo "rollback-postgres: $*" >&2
  exit "$code"
}

# A new cluster is made complete in a folder of its own and then moved up, global/ with its pg_control last. So a data
# directory with pg_control is whole, and whatever a kill left behind lies in that folder or was moved out of it.
initialise() {
  case "${PG_SCRAM:-}" in
  'SCRAM-SHA-256$'*) ;;
  *) refuse 78 "PG_SCRAM must hold the superuser's SCRAM-SHA-256 verifier to initialise $PGDATA." ;;
  esac
  rm -rf "$unfinished"
  mkdir -m 0700 "$unfinished"
  echo "$PG_SCRAM" | initdb --pgdata="$unfinished" --username=postgres --pwfile=/dev/stdin --data-checksums \
    --encoding=UTF8 --locale="${PG_LOCALE:-C.UTF-8}" --auth=scram-sha-256 --no-instructions
  cp /etc/rollback-postgres/pg_hba.conf "$unfinished/pg_hba.conf"
  echo "include_if_exists = '/etc/rollback-postgres/server.conf'" >>"$unfinished/postgresql.conf"
  sync
  : >"$unfinished/.complete"
}

move_up() {
  for entry in "$unfinished"/*; do
    [ "$entry" = "$unfinished/global" ] || [ ! -e "$entry" ] || mv "$entry" "$PGDATA/"
  done
  [ ! -e "$unfinished/global" ] || mv "$unfinished/global" "$PGDATA/"
  rm -rf "$unfinished"
  sync
}

# Containers have process and IPC namespaces of their own, so PostgreSQL's own interlock sees no second server on the
# volume. A lock on the directory does; the server inherits it and the kernel releases it with the last process.
exec 9<"$PGDATA"
flock --wait 10 9 || refuse 75 "another server uses $PGDATA."

[ ! -e "$unfinished/.complete" ] || move_up

if [ ! -e "$PGDATA/global/pg_control" ]; then
  others=$(find "$PGDATA" -mindepth 1 -maxdepth 1 ! -name .initdb ! -name lost+found)
  [ -z "$others" ] ||
    refuse 78 "$PGDATA has files but no global/pg_control: an unfinished restore, or no data directory at all."
  [ "${PG_INIT:-}" = allow ] ||
    refuse 78 "$PGDATA is empty and PG_INIT=allow is not set: the wrong volume, or one that lost its data."
  initialise
  move_up
fi

major=$(cat "$PGDATA/PG_VERSION")
[ "$major" = 17 ] || refuse 78 "$PGDATA belongs to PostgreSQL $major, this image has 17."

if [ -n "${PG_EXPECT_SYSID:-}" ]; then
  found=$(LC_ALL=C pg_controldata --pgdata="$PGDATA" | sed -n 's/^Database system identifier: *//p')
  [ "$found" = "$PG_EXPECT_SYSID" ] ||
    refuse 78 "$PGDATA has the system identifier $found, expected $PG_EXPECT_SYSID: another cluster's volume."
fi

unset PG_SCRAM
exec postgres -D "$PGDATA" "$@"
