# shellcheck shell=bash
# Starting a release from its kept images.

kept_image() { # IMAGE-ID IMAGE: the first that is on this machine
  local each
  for each in "$@"; do
    [ -z "$each" ] || docker image inspect --format '{{.Id}}' "$each" 2>/dev/null && return
  done
  return 1
}

free_address() { # NETWORK: from the top of its subnet, where the program is least likely to place anything
  local subnet base bits last taken try
  subnet=$(docker network inspect --format '{{(index .IPAM.Config 0).Subnet}}' "$1")
  IFS=./ read -r a b c d bits <<<"$subnet"
  base=$(((a << 24) + (b << 16) + (c << 8) + d))
  last=$((base + (1 << (32 - bits)) - 2))
  # Also of containers that do not run now: each keeps its address.
  taken=$(docker ps -aq --filter "network=$1" | while read -r id; do
    docker inspect --format "{{with index .NetworkSettings.Networks \"$1\"}}{{.IPAddress}} {{with .IPAMConfig}}{{.IPv4Address}}{{end}}{{end}}" "$id"
  done)
  for ((try = last; try > last - 200; try--)); do
    local address=$((try >> 24 & 255)).$((try >> 16 & 255)).$((try >> 8 & 255)).$((try & 255))
    case " ${taken//$'\n'/ } " in *" $address "*) ;; *) printf '%s\n' "$address"; return ;; esac
  done
  die "no free address in $subnet."
}

fresh_role() { # DATABASE RELEASE: a role that may log in, with a new password; prints both
  local role password
  role=$(printf '%s_%s_break_glass' "$1" "$2" | tr '[:upper:]' '[:lower:]' | tr -c 'a-z0-9_' '_')
  role=${role:0:63}
  password=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
  # On standard input, and kept out of the server's log.
  psql "$1" -v role="$role" >/dev/null <<SQL
SET log_statement = 'none'; SET log_min_duration_statement = -1;
SELECT format('CREATE ROLE %I', :'role') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
ALTER ROLE :"role" LOGIN PASSWORD '$password';
SELECT format('GRANT %I TO %I', o, :'role'), format('ALTER ROLE %I SET role = %L', :'role', o)
  FROM (SELECT pg_get_userbyid(datdba) AS o FROM pg_database WHERE datname = current_database()) d \gexec
SQL
  printf '%s %s\n' "$role" "$password"
}

# The variables of a container that are not its image's, one `NAME=VALUE` and a NUL each.
variables_of() { # CONTAINER
  local variable image
  local -A known=()
  image=$(docker inspect --format '{{.Image}}' "$1")
  while IFS= read -r -d '' variable; do known[$variable]=1; done \
    < <(docker image inspect --format '{{range .Config.Env}}{{.}}{{"\x00"}}{{end}}' "$image")
  while IFS= read -r -d '' variable; do
    variable=${variable#$'\n'}
    [ -n "$variable" ] && [ -z "${known[$variable]:-}" ] && printf '%s\0' "$variable"
  done < <(docker inspect --format '{{range .Config.Env}}{{.}}{{"\x00"}}{{end}}' "$1") || true
}

start() { # RELEASE
  local release=$1 record service id image found database wanted now
  local -A images=()
  need_server
  need router >/dev/null
  record=$(journal "SELECT s.key, coalesce(inputs->'images'->>(s.key || '/' || :'release'), ''), s.value
    FROM run, jsonb_each_text(inputs->'releases'->:'release'->'images') s ORDER BY 1" -v release="$release")
  while IFS=$'\t' read -r service id image; do
    [ -n "$service" ] || continue
    [ -z "${given[$service]:-}" ] || continue
    found=$(kept_image "$id" "$image") || die "the image $image of $service $release is not on this machine." \
      "docker pull $image, or docker load, or name another: --image $service=IMAGE"
    images[$service]=$found
  done <<<"$record"
  for service in "${!given[@]}"; do
    images[$service]=$(kept_image "${given[$service]}") || die "there is no image ${given[$service]} on this machine."
  done
  [ ${#images[@]} -gt 0 ] || die "$release is not on record." "Name its images: --image SERVICE=IMAGE"
  if [ "$any_schema" = no ]; then
    while IFS=$'\t' read -r database wanted; do
      [ -n "$database" ] || continue
      now=$(version_of "$database")
      [ "$now" = "$wanted" ] || die "$release was deployed with $database at $wanted, and it is at $now." \
        "rollback.sh --stack $stack reverse $database $wanted" "or, if it runs on $now as well: --any-schema"
    done < <(journal "SELECT key, value FROM run, jsonb_each_text(inputs->'releases'->:'release'->'schema')" -v release="$release")
  fi
  local -a lines=()
  for service in "${!images[@]}"; do
    lines+=("run $(prefix)-$service-$release-break-glass from ${images[$service]}")
  done
  confirm "${lines[@]}" "give each of them a role of its own in its database, with a fresh password"
  for service in "${!images[@]}"; do start_service "$service" "$release" "${images[$service]}"; done
}

start_service() { # SERVICE RELEASE IMAGE
  local service=$1 release=$2 image=$3 name net like former variable key value flags role password line
  name=$(prefix)-$service-$release-break-glass
  if [ "$(docker inspect --format '{{.State.Running}}' "$name" 2>/dev/null)" = true ]; then
    say "$name runs already."
    return
  fi
  net=$(network)
  # A running one of the same service is the best model; else the newest.
  like=$(docker ps -a --filter "label=rollback.stack=$stack" --filter "label=rollback.service=$service" \
    --filter "label=rollback.part=service" --format '{{.State}} {{.Names}}' | sort -s -r -k1,1 | head -n 1 | cut -d' ' -f2)
  [ -n "$like$env_file" ] || die "no container of $service is left to take its environment from." "Give it with --env-file FILE."
  local -A environment=()
  if [ -n "$like" ]; then
    former=$(docker inspect --format '{{index .Config.Labels "rollback.release"}}' "$like")
    while IFS= read -r -d '' variable; do
      key=${variable%%=*} value=${variable#*=}
      [ "$value" != "$former" ] || value=$release
      environment[$key]=${value//"/$service-$former.json"/"/$service-$release.json"}
    done < <(variables_of "$like")
  fi
  if [ -n "$env_file" ]; then
    while IFS= read -r variable || [ -n "$variable" ]; do
      case "$variable" in '' | '#'*) ;; *=*) environment[${variable%%=*}]=${variable#*=} ;; esac
    done <"$env_file"
  fi
  local -a args=(--env-file /dev/stdin) many=()
  local one_line=
  for key in "${!environment[@]}"; do
    value=${environment[$key]}
    if [[ $value =~ ^(.*postgres(ql)?://)[^/@]*@([^/]*)/([^?/]+)(.*)$ ]]; then
      local before=${BASH_REMATCH[1]} host=${BASH_REMATCH[3]} in=${BASH_REMATCH[4]} after=${BASH_REMATCH[5]}
      read -r role password < <(fresh_role "$(printf '%b' "${in//%/\\x}")" "$release")
      [ -n "$password" ] || die "no role could be made in $in."
      [ "$server_given" = no ] || host=$server:5432
      value=$before$role:$password@$host/$in$after
    fi
    case "$value" in
      *$'\n'*) many+=("$key=$value") args+=(-e "$key") ;;
      *) one_line+=$key=$value$'\n' ;;
    esac
  done
  if [ -n "$like" ]; then
    args+=(--memory "$(docker inspect --format '{{.HostConfig.Memory}}' "$like")")
    while IFS= read -r line; do
      [ -z "$line" ] || args+=(-v "$line")
    done < <(docker inspect --format '{{range .Mounts}}{{if eq .Type "volume"}}{{if ne .Destination "/run/rollback"}}{{println (printf "%s:%s" .Name .Destination)}}{{end}}{{end}}{{end}}' "$like")
    value=$(docker inspect --format '{{.Config.User}}' "$like")
    [ "$value" = "$(docker image inspect --format '{{.Config.User}}' "$(docker inspect --format '{{.Image}}' "$like")")" ] || args+=(--user "$value")
  fi
  flags=$(docker volume ls --filter "label=rollback.stack=$stack" --filter label=rollback.volume=flags --format '{{.Name}}' | head -n 1)
  [ -z "$flags" ] || args+=(-v "$flags:/run/rollback:ro")
  docker rm -f "$name" >/dev/null 2>&1 || true
  # Values reach docker by its standard input and environment: arguments can be read by everybody on the machine.
  printf '%s' "$one_line" | (
    for line in "${many[@]}"; do export "${line?}"; done
    docker run -d --name "$name" --network "$net" --ip "$(free_address "$net")" --restart unless-stopped \
      --security-opt no-new-privileges:true --label "rollback.stack=$stack" --label rollback.part=break-glass \
      --label "rollback.service=$service" --label "rollback.release=$release" "${args[@]}" "$image" >/dev/null
  )
  say "started $name."
}

