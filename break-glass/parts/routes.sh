# shellcheck shell=bash
# Routing requests to what was started.

routes() { docker exec "$(need router)" cat /etc/gateway/routes/nginx.conf; }

port_of() { # SERVICE: its port, from the router's listener for the other services
  local line port=
  while IFS= read -r line; do
    [[ $line =~ ^\ +listen\ ([0-9]+)\;$ ]] && port=${BASH_REMATCH[1]}
    [[ $line == *"server_name $1;" ]] && { printf '%s\n' "$port"; return; }
  done < <(routes)
  die "the router knows no service $1."
}

reroute() { # SERVICE ADDRESS:PORT RELEASE: a router's configuration with that one server for the service
  local service=$1 target=$2 release=$3 line inside=no pattern=${2//./\\.} routed=no
  while IFS= read -r line; do
    case "$line" in
      "  upstream to_$service {") inside=yes routed=yes ;;
      "  }")
        [ "$inside" = no ] || printf '    server %s weight=1 max_fails=0; # %s\n' "$target" "$release"
        inside=no
        ;;
      "    server "*) [ "$inside" = no ] || continue ;;
      '    "~(^|[ ,])'"$pattern"'$" '*) continue ;;
    esac
    printf '%s\n' "$line"
    # shellcheck disable=SC2016 # nginx's variables
    [ "$line" != '  map $upstream_addr $release {' ] || printf '    "~(^|[ ,])%s$" "%s";\n' "$pattern" "$release"
  done
  [ "$routed" = yes ] || die "the router sends requests for $service nowhere, so there is nothing to replace."
}

named() { # a configuration with its generation's name, a hash of the rest
  local text line body=
  while IFS= read -r line; do
    case "$line" in
      "# generation "*) continue ;;
      *"location = /generation {"*) line='    location = /generation { return 200 "GENERATION"; }' ;;
    esac
    body+=$line$'\n'
  done
  text=$(printf '%s' "$body" | sha256sum | cut -c1-16)
  printf '# generation %s\n%s' "$text" "${body/GENERATION/"$text"}"
}

answers() { # URL: whether it is answered with 2xx within a minute
  local answer
  answer=$(printf 'url = "%s"\nmax-time = 10\n' "$1" | docker exec -i "$(need router)" healthy 60000)
  case "$answer" in 2*) say "$1: $answer" ;; *) die "$1 is answered with ${answer% *}." "docker logs --tail 50 CONTAINER" ;; esac
}

switch() { # RELEASE
  local release=$1 started text name service address port path
  local -a lines=()
  started=$(docker ps --filter "label=rollback.stack=$stack" --filter label=rollback.part=break-glass \
    --filter "label=rollback.release=$release" --format '{{.Names}}' | sort)
  [ -n "$started" ] || die "nothing of $release was started." "rollback.sh --stack $stack start $release"
  text=$(routes)
  for name in $started; do
    service=$(docker inspect --format '{{index .Config.Labels "rollback.service"}}' "$name")
    address=$(docker inspect --format "{{(index .NetworkSettings.Networks \"$(network)\").IPAddress}}" "$name")
    port=$(port_of "$service")
    for path in $(if [ -n "$check" ]; then echo "$check"; else smoke_of "$service"; fi); do answers "http://$address:$port$path"; done
    text=$(reroute "$service" "$address:$port" "$release" <<<"$text")
    lines+=("send every request for $service to $name ($address:$port)")
  done
  confirm "${lines[@]}" "open the gate"
  docker exec "$(need router)" routes claim break-glass
  named <<<"$text" | docker exec -i "$(need router)" routes apply break-glass >&2
  gate open
  say "open: $release serves."
}

smoke_of() { # SERVICE
  if [ -z "$server" ]; then server=$(part postgres); fi
  [ -z "$server" ] || journal "SELECT substr(path, 5) FROM run, jsonb_array_elements_text((inputs->>'effects')::jsonb->'verification'->'smoke'->:'service') path
    WHERE path LIKE 'GET /%' AND path NOT LIKE '% % %'" -v service="$service"
}

