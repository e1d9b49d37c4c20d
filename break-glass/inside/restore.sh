# Restores the archive $FOLDER of the dump $DUMP as the database $NEW, owned by $OWNER. Runs in the server's container.
# Under a passing name first, so that a database with its final name is always a whole one.
set -eu
sql() { psql -XqAt -v ON_ERROR_STOP=1 -v new="$NEW" -v part="$NEW.restoring" -v owner="$OWNER" -d "$1"; }

if [ "$(echo "SELECT count(*) FROM pg_database WHERE datname = :'new'" | sql postgres)" = 1 ]; then
  echo "$NEW is there already: nothing to do" >&2
  exit 0
fi
sql postgres <<'SQL'
SET client_min_messages = warning;
DROP DATABASE IF EXISTS :"part";
CREATE DATABASE :"part" OWNER :"owner" TEMPLATE template0 ENCODING 'UTF8';
SQL
pg_restore --exit-on-error --jobs 2 -d "dbname='$NEW.restoring'" "/var/lib/dumps/$DUMP/$FOLDER"
echo "ANALYZE" | sql "dbname='$NEW.restoring'"
echo 'ALTER DATABASE :"part" RENAME TO :"new"' | sql postgres
