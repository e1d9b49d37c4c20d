# shellcheck shell=bash
# What there is of the stack: containers, databases, the journal's last finished run.

part() { # part: the stack's running container of it
  docker ps --filter "label=rollback.stack=$stack" --filter "label=rollback.part=$1" --format '{{.Names}}' | head -n 1
}

need() { # part
  local found
  found=$(part "$1")
  [ -n "$found" ] || die "no $1 of $stack runs." "docker ps -a --filter label=rollback.stack=$stack" "docker start CONTAINER"
  printf '%s\n' "$found"
}

need_server() {
  [ -n "$server" ] || server=$(part postgres)
  [ -n "$server" ] || die "no PostgreSQL of $stack runs." \
    "docker ps -a --filter label=rollback.stack=$stack --filter label=rollback.part=postgres" \
    "Start it, or restore a dump into a new volume: rollback.sh --stack $stack server DUMP VOLUME"
}

network() {
  local found
  found=$(docker network ls --filter "label=rollback.stack=$stack" --format '{{.Name}}' | head -n 1)
  [ -n "$found" ] || die "$stack has no network." "docker network ls; is the stack's name right?"
  printf '%s\n' "$found"
}

prefix() { printf '%s\n' "${stack/\//-}"; }

psql() { # DATABASE [arguments]; SQL on standard input, as superuser over the socket
  local database=$1
  shift
  docker exec -i -u postgres -e PGAPPNAME=break-glass "$server" psql -XqAt -v ON_ERROR_STOP=1 -U postgres \
    -d "dbname='${database//\'/\\\'}'" -F $'\t' "$@"
}

has() { # DATABASE TABLE
  [ "$(psql "$1" -v name="$2" <<<"SELECT to_regclass(:'name') IS NOT NULL")" = t ]
}

databases() { # those with a ledger
  local database
  psql postgres <<<"SELECT datname FROM pg_database WHERE NOT datistemplate AND datallowconn AND datname <> 'postgres' ORDER BY 1" |
    while read -r database; do
      if has "$database" rollback.migration; then printf '%s\n' "$database"; fi
    done
}

journal() { # SQL over `run`, the inputs of the last finished run; [psql variables]
  local sql=$1 database
  shift
  for database in $(databases); do
    has "$database" rollback.journal || continue
    psql "$database" -v stack="$stack" "$@" <<<"WITH run AS (SELECT inputs FROM rollback.journal
      WHERE stack = :'stack' AND finished IS NOT NULL ORDER BY id DESC LIMIT 1) $sql"
    return
  done
}

version_of() { # DATABASE
  psql "$1" <<<"SELECT coalesce((SELECT version FROM rollback.migration WHERE state = 'applied' ORDER BY id DESC LIMIT 1), '0')"
}

# Roles with which releases log in: members of the databases' owners, but for the operator.
release_roles="SELECT DISTINCT r.oid, r.rolname, r.rolcanlogin FROM pg_roles r
  JOIN pg_auth_members m ON m.member = r.oid JOIN pg_database d ON d.datdba = m.roleid
  WHERE NOT r.rolsuper AND r.rolname <> 'rollback_operator'"

status() {
  local database
  say "== containers"
  docker ps -a --filter "label=rollback.stack=$stack" \
    --format 'table {{.Names}}\t{{.Image}}\t{{.Status}}' | { read -r head; printf '%s\n' "$head"; sort; }
  door=$(part door)
  [ -z "$door" ] || { say "== gate"; docker exec "$door" gate status; echo; }
  need_server
  say "== releases on record: service, image"
  journal "SELECT r.key, s.key, s.value, coalesce(inputs->'images'->>(s.key || '/' || r.key), '')
    FROM run, jsonb_each(inputs->'releases') r, jsonb_each_text(r.value->'images') s ORDER BY 1, 2"
  for database in $(databases); do
    say "== $database is at $(version_of "$database"); newest migrations and whether each can be reversed"
    psql "$database" <<<"SELECT version, name, class, coalesce(release, ''), CASE WHEN down IS NULL THEN 'no reversal' ELSE 'reversal stored' END
      FROM rollback.migration WHERE state = 'applied' ORDER BY id DESC LIMIT 8"
  done
  say "== dumps"
  docker exec "$server" sh -c 'ls -1r /var/lib/dumps'
}

