# shellcheck shell=bash
# Closing the databases and taking migrations back.

gate() { # change
  local answer
  answer=$(printf '{"do":"%s"}' "$1" | docker exec -i "$(need door)" gate)
  case "$answer" in *'"ok":true'*) ;; *) die "the gate did not take \"$1\": $answer" ;; esac
}

close() {
  local open left try
  need_server
  open=$(psql postgres <<<"SELECT rolname FROM ($release_roles) r WHERE rolcanlogin ORDER BY 1")
  confirm "answer every request to $stack with 503 and Retry-After" \
    "let these roles log in no more, and end their sessions: ${open:-none is open}"
  gate close
  psql postgres <<<"SELECT format('ALTER ROLE %I NOLOGIN', rolname) FROM ($release_roles) r WHERE rolcanlogin \\gexec"
  for try in $(seq 50); do
    left=$(psql postgres <<<"SELECT count(pg_terminate_backend(a.pid)) FROM pg_stat_activity a JOIN ($release_roles) r ON r.oid = a.usesysid")
    # Once more after the first empty look: a login that was just past its check is not listed yet.
    [ "$left" != 0 ] || [ "$try" = 1 ] || break
    sleep 0.2
  done
  [ "$left" = 0 ] || die "$left sessions do not end." "Look at pg_stat_activity in $server."
  say "closed: the gateway answers 503, and no release can reach its database."
}

# Applied after :to, in psql.
newer="FROM rollback.migration WHERE state = 'applied' AND id > coalesce((SELECT id FROM rollback.migration WHERE state = 'applied' AND version = :'to'), 0)"

reverse() { # DATABASE VERSION
  local database=$1 to=$2 now other todo file
  [ -n "$to" ] || die "VERSION is one that \`status\` lists; 0 (or none) is the empty schema."
  need_server
  [[ $'\n'$(databases)$'\n' == *$'\n'"$database"$'\n'* ]] || die "$database has no ledger on $server." "Databases with one: $(databases | tr '\n' ' ')"
  now=$(version_of "$database")
  [ "$now" != "$to" ] || { say "$database is at $to already."; return; }
  [ "$(psql "$database" -v to="$to" <<<"SELECT count(*) FROM rollback.migration WHERE state = 'applied' AND version = :'to'")" = 1 ] ||
    case "$to" in
      0 | none) ;;
      *) die "$database is at $now, and $to is not applied: nothing is taken back by going forward." ;;
    esac
  other=$(psql "$database" <<<"SELECT string_agg(concat_ws(' ', usename, 'pid', pid::text, application_name), '; ') FROM pg_stat_activity
    JOIN pg_roles r ON r.oid = usesysid WHERE datname = current_database() AND pid <> pg_backend_pid()
      AND backend_type = 'client backend' AND (NOT rolsuper OR application_name LIKE 'rollback%')")
  [ -z "$other" ] || die "$database is still in use: $other." "Close it first: rollback.sh --stack $stack close"
  todo=$(psql "$database" -v to="$to" <<<"SELECT version || ' (' || name || '), applied ' || applied_at::date || coalesce(' with ' || release, '')
    $newer ORDER BY id DESC")
  say "The stored SQL, as the owner of $database:"
  psql "$database" -v to="$to" <<<"SELECT E'\n-- ' || version || ' ' || name || E'\n' || coalesce(down, '-- none stored')
    $newer ORDER BY id DESC" >&2
  file="break-glass-${database//[!A-Za-z0-9_.-]/_}-$(date -u +%Y%m%dT%H%M%SZ).dump"
  local -a lines=("in one transaction, take back in $database:"$'\n'"      ${todo//$'\n'/$'\n'      }")
  [ "$dump" = no ] || lines=("dump $database to /var/lib/dumps/$file in $server, and read the dump back" "${lines[@]}")
  confirm "${lines[@]}"
  if [ "$dump" = yes ]; then
    # shellcheck disable=SC2016 # expanded in the container
    docker exec -u postgres -e "DATABASE=dbname='${database//\'/\\\'}'" -e "FILE=/var/lib/dumps/$file" "$server" sh -euc '
      umask 077
      pg_dump -Fc --lock-wait-timeout=30s -U postgres -d "$DATABASE" -f "$FILE.partial"
      pg_restore -f /dev/null "$FILE.partial"
      sync -f "$FILE.partial"
      mv "$FILE.partial" "$FILE"'
    say "dumped: $file"
  fi
  psql "$database" -v to="$to" -v run="break-glass-$(cat /proc/sys/kernel/random/uuid)" <"$here/inside/reverse.sql"
  say "$database is at $(version_of "$database")."
}

