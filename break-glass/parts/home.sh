# shellcheck shell=bash
# Back under Pulumi, and the tidying up after it.

hmac() { # KEY MESSAGE: HMAC-SHA256 in hex, as the program derives the passwords of roles
  local hex inner='' outer='' i byte
  hex=$(printf %s "$1" | od -An -v -tx1 | tr -d ' \n')
  [ ${#hex} -le 128 ] || hex=$(printf %s "$1" | sha256sum | cut -c1-64)
  while [ ${#hex} -lt 128 ]; do hex+=00; done
  for ((i = 0; i < 128; i += 2)); do
    printf -v byte '\\x%02x' $((16#${hex:i:2} ^ 0x36))
    inner+=$byte
    printf -v byte '\\x%02x' $((16#${hex:i:2} ^ 0x5c))
    outer+=$byte
  done
  hex=$({ printf '%b' "$inner"; printf %s "$2"; } | sha256sum | cut -c1-64)
  for ((i = 0; i < 64; i += 2)); do outer+=\\x${hex:i:2}; done
  printf '%b' "$outer" | sha256sum | cut -c1-64
}

hand_over() {
  local secret containers id
  need_server
  [ ! -t 0 ] || printf 'The new stack'\''s secret db (pulumi config get --path rollback:secrets.db): ' >&2
  read -r -s secret || true
  [ -n "$secret" ] || die "no secret was given." "Nothing was changed."
  containers=$(docker ps -aq --filter "label=rollback.stack=$stack")
  confirm "give the administrator of $server the password that a stack with this secret has" \
    "stop and remove the $(wc -w <<<"$containers") containers of $stack and its network; every volume stays"
  psql postgres >/dev/null <<SQL
SET log_statement = 'none'; SET log_min_duration_statement = -1;
ALTER ROLE postgres PASSWORD '$(hmac "$secret" postgres)';
SQL
  for id in $containers; do docker stop -t 60 "$id" >/dev/null; docker rm "$id" >/dev/null; done
  id=$(docker network ls -q --filter "label=rollback.stack=$stack")
  [ -z "$id" ] || docker network rm "$id" >/dev/null
  say "Now, with the new stack's backend and passphrase: pulumi up"
}

tidy() {
  local name address text unused=''
  need_server
  text=$(routes)
  for name in $(docker ps -a --filter "label=rollback.stack=$stack" --filter label=rollback.part=break-glass --format '{{.Names}}'); do
    address=$(docker inspect --format "{{(index .NetworkSettings.Networks \"$(network)\").IPAddress}}" "$name")
    if [ -n "$address" ] && [[ $text == *"server $address:"* ]]; then say "$name has traffic: left alone."; else unused+="$name "; fi
  done
  confirm "remove these containers, which have no traffic: ${unused:-none}" "drop roles that end in _break_glass and have no session"
  # shellcheck disable=SC2086 # a list of names
  [ -z "$unused" ] || docker rm -f $unused >/dev/null
  psql postgres <<'SQL'
SELECT format('DROP ROLE %I', rolname) FROM pg_roles r
  WHERE rolname LIKE '%\_break\_glass' AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE usesysid = r.oid) \gexec
SQL
}

