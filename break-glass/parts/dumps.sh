# shellcheck shell=bash
# Dumps: verified, restored beside what is there, or into a new volume.

inside() { # FILE [-e NAME=VALUE]…: runs a file of inside/ in the server's container, as postgres
  local file=$1
  shift
  docker exec -u postgres -e "DUMP=$dump_name" -e PGUSER=postgres -e PGAPPNAME=break-glass "$@" "$server" sh -c "$(cat "$here/inside/$file")"
}

verify() { # DUMP
  dump_name=$1
  need_server
  inside verify.sh || die "$dump_name is not whole; take an older one."
  say "$dump_name is whole: every hash fits, every archive can be read."
}

restore() { # DUMP DATABASE NEW
  local database=$2 new=$3 folder owner
  dump_name=$1
  need_server
  [[ $new =~ ^[A-Za-z_][A-Za-z0-9_]{0,50}$ ]] || die "NEW is a plain name: letters, digits, _."
  folder=$(folder_of "$database")
  owner=${database}_owner
  [ "$(psql postgres -v owner="$owner" <<<"SELECT count(*) FROM pg_roles WHERE rolname = :'owner'")" = 1 ] ||
    owner=$(psql postgres -v name="$database" <<<"SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = :'name'")
  [ -n "$owner" ] || die "there is no role ${database}_owner on $server." "docker exec $server psql -U postgres -f /var/lib/dumps/$dump_name/globals.sql"
  confirm "compare $dump_name with its manifest and read it in full" \
    "restore its $database into a new database $new on $server; $database itself stays as it is"
  verify "$dump_name"
  inside restore.sh -e "FOLDER=$folder" -e "NEW=$new" -e "OWNER=$owner"
  say "$new is there, at $(version_of "$new")."
}

folder_of() { # DATABASE: its folder in the dump
  local folder
  folder=$(inside folders.sh | while IFS=$'\t' read -r name each; do [ "$name" != "$1" ] || printf '%s\n' "$each"; done)
  [ -n "$folder" ] || die "$dump_name has no $1."
  printf '%s\n' "$folder"
}

server_from_dump() { # DUMP VOLUME
  local volume=$2 name image source net='' database folder line
  dump_name=$1
  name=$(prefix)-postgres-break-glass
  image=${given[postgres]:-$(docker ps -a --filter "label=rollback.stack=$stack" --filter label=rollback.part=postgres --format '{{.Image}}' | head -n 1)}
  source=$dumps
  [ -n "$source" ] || source=$(docker volume ls --filter "label=rollback.stack=$stack" --filter label=rollback.volume=dumps --format '{{.Name}}' | head -n 1)
  [ -n "$source" ] || die "no volume with the dumps of $stack is there." "Name it, or a folder: --dumps VOLUME|FOLDER"
  net=$(docker network ls --filter "label=rollback.stack=$stack" --format '{{.Name}}' | head -n 1)
  if docker volume inspect "$volume" >/dev/null 2>&1; then
    [ "$(docker volume inspect --format '{{index .Labels "rollback.from"}}' "$volume")" = "$dump_name" ] ||
      die "the volume $volume is there already and holds something else." "Name a new one."
  fi
  confirm "make the volume $volume with a new, empty PostgreSQL in it" \
    "compare $dump_name with its manifest, and restore its roles and all its databases there" \
    "leave the server running as $name, beside the stack's own, which stays as it is"
  docker volume create --label "rollback.stack=$stack" --label rollback.part=volume --label rollback.volume=data \
    --label "rollback.from=$dump_name" "$volume" >/dev/null
  docker rm -f "$name" >/dev/null 2>&1 || true
  # A verifier that no password fits: until `hand-over` sets one, the only way in is the socket.
  random() { head -c "$1" /dev/urandom | base64 -w0; }
  docker run -d --name "$name" --label "rollback.stack=$stack" --label rollback.part=break-glass-postgres \
    --restart unless-stopped --stop-signal SIGINT --shm-size 256m ${net:+--network "$net" --ip "$(free_address "$net")"} \
    -v "$volume:/var/lib/postgresql/data" -v "$source:/var/lib/dumps" -e PG_INIT=allow \
    -e "PG_SCRAM=SCRAM-SHA-256\$4096:$(random 16)\$$(random 32):$(random 32)" "${image:-rollback-postgres:17.1}" >/dev/null
  server=$name
  for _ in $(seq 120); do
    docker exec "$name" pg_isready -q -U postgres 2>/dev/null && break
    sleep 0.5
  done
  verify "$dump_name"
  # What is there already (role postgres, or all of it when this is repeated) is an error that does not matter.
  docker exec -u postgres "$name" psql -Xq -U postgres -d postgres -f "/var/lib/dumps/$dump_name/globals.sql" 2>&1 |
    while IFS= read -r line; do case "$line" in *"already exists"*) ;; *) say "$line" ;; esac; done
  while IFS=$'\t' read -r database folder; do
    inside restore.sh -e "FOLDER=$folder" -e "NEW=$database" -e "OWNER=${database}_owner"
    say "$database is there, at $(version_of "$database")."
  done < <(inside folders.sh)
  say "To go on with it: --server $name in front of start; in the stack file: rollback:cluster.volume: $volume."
}

