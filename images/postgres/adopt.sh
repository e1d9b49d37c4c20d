#!/bin/sh
# Makes a data directory of another image one that rollback-postgres serves from: a superuser `postgres`, our pg_hba.conf
# and our settings. The verifier (SCRAM-SHA-256) of that superuser's password comes on standard input. No row is touched,
# what is replaced stays beside it, and it may be repeated. Nobody may be using the directory.
#
# Exit 78: the data directory is not what was expected; nothing was changed. Exit 75: another server uses it.
set -eu

refuse() {
  code=$1
  shift
  echo "rollback-adopt: $*" >&2
  exit "$code"
}

cd "$PGDATA"
[ -e global/pg_control ] || refuse 78 "there is no data directory at the top of the volume (no global/pg_control)."
major=$(cat PG_VERSION)
[ "$major" = 17 ] || refuse 78 "the data directory belongs to PostgreSQL $major, this image has 17."
[ ! -e standby.signal ] && [ ! -e recovery.signal ] ||
  refuse 78 "the data directory is that of a standby or of a recovery under way."
read -r verifier
case "$verifier" in
'SCRAM-SHA-256$'*) ;;
*) refuse 78 "the superuser's SCRAM-SHA-256 verifier must come on standard input." ;;
esac

exec 9<"$PGDATA"
flock --wait 10 9 || refuse 75 "another server uses $PGDATA."

# Without a server nobody can log in meanwhile, and nobody has to know the password of the superuser that made it.
{
  echo 'DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '\''postgres'\'') THEN CREATE ROLE postgres; END IF; END $$'
  echo "ALTER ROLE postgres SUPERUSER CREATEDB CREATEROLE REPLICATION BYPASSRLS LOGIN PASSWORD '$verifier'"
} | postgres --single -D "$PGDATA" -c exit_on_error=true -c log_min_error_statement=panic -c log_statement=none \
  -c shared_preload_libraries= template1 >/dev/null

include="include_if_exists = '/etc/rollback-postgres/server.conf'"
grep -qxF "$include" postgresql.conf || printf '\n# Added when this data directory was taken over.\n%s\n' "$include" >>postgresql.conf
if ! cmp -s pg_hba.conf /etc/rollback-postgres/pg_hba.conf; then
  [ -e pg_hba.conf.before-rollback ] || cp pg_hba.conf pg_hba.conf.before-rollback
  cp /etc/rollback-postgres/pg_hba.conf .pg_hba.conf.new
  mv .pg_hba.conf.new pg_hba.conf
fi
sync
