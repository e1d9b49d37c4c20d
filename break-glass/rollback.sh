#!/usr/bin/env bash
# The way back when Pulumi cannot help: engine, backend or passphrase are gone. See docs/break-glass.md.
# Needs bash, coreutils and a docker client; everything else is asked of the stack's own containers and databases.
set -euo pipefail
export LC_ALL=C

here=$(dirname "$(readlink -f "$0")")
# shellcheck source=parts/stack.sh
. "$here/parts/stack.sh"
# shellcheck source=parts/schema.sh
. "$here/parts/schema.sh"
# shellcheck source=parts/containers.sh
. "$here/parts/containers.sh"
# shellcheck source=parts/routes.sh
. "$here/parts/routes.sh"
# shellcheck source=parts/dumps.sh
. "$here/parts/dumps.sh"
# shellcheck source=parts/home.sh
. "$here/parts/home.sh"

usage() {
  cat <<'TEXT'
usage: rollback.sh --stack PROJECT/STACK [OPTIONS] COMMAND

  status                      what runs, which schema, what could be reversed, which releases and dumps are there
  close                       answers every request with 503 and closes the releases' roles in the database
  reverse DATABASE VERSION    dumps the database, then takes back every migration applied after VERSION, all or none
  start RELEASE               starts a release from its kept images, each database with a fresh password
  switch RELEASE              routes requests to what `start` has started, and opens the gate
  verify DUMP                 compares a dump with the hashes in its manifest and reads it in full
  restore DUMP DATABASE NEW   restores one database of a dump beside the one that is there
  server DUMP VOLUME          restores a whole dump into a new volume, with a server of its own on it
  hand-over                   prepares the stack for a new Pulumi stack; asks for the new secret `db`
  tidy                        removes what `start` made and nobody uses any more

  --yes                       do not ask
  --server CONTAINER          the PostgreSQL to use (default: the stack's own)
  --image SERVICE=IMAGE       start: this image instead of the one on record; may be repeated
  --env-file FILE             start: NAME=VALUE lines that add to, or replace, what the service's container has
  --any-schema                start: also when the schema is not the one that the release was deployed with
  --check PATH                switch: must be answered with 2xx first (default: the smoke tests on record)
  --dumps VOLUME|FOLDER       where the dumps are (default: what the stack's server has)
  --no-dump                   reverse: without a dump of the moment before

Each command says what it will do and asks. Each may be repeated.
TEXT
}

say() { printf '%s\n' "$*" >&2; }
die() {
  say "rollback.sh: $1"
  shift
  for line in "$@"; do say "  $line"; done
  exit 1
}

confirm() { # one line per thing that will be done
  say "This will"
  for line in "$@"; do say "  - $line"; done
  [ "$yes" = no ] || return 0
  printf 'Go on? [y/N] ' >&2
  read -r answer || answer=no
  case "$answer" in y | Y | yes) ;; *) die "nothing was changed." ;; esac
}

yes=no stack='' server='' server_given=no env_file='' any_schema=no check='' dumps='' dump=yes dump_name=''
declare -A given=()
words=()
while [ $# -gt 0 ]; do
  case "$1" in
    --stack | --server | --image | --env-file | --check | --dumps)
      [ $# -ge 2 ] || die "$1 needs a value."
      case "$1" in
        --stack) stack=$2 ;;
        --server) server=$2 server_given=yes ;;
        --image) given[${2%%=*}]=${2#*=} ;;
        --env-file) env_file=$2 ;;
        --check) check=$2 ;;
        --dumps) dumps=$2 ;;
      esac
      shift
      ;;
    --yes) yes=yes ;;
    --any-schema) any_schema=yes ;;
    --no-dump) dump=no ;;
    -h | --help) usage; exit 0 ;;
    -*) die "unknown option $1." "rollback.sh --help" ;;
    *) words+=("$1") ;;
  esac
  shift
done

case "$stack" in */*) ;; *) usage >&2; die "--stack PROJECT/STACK is missing." "docker ps --format '{{.Label \"rollback.stack\"}}' | sort -u" ;; esac
case "${words[0]:-} ${#words[@]}" in
  "status 1") status ;;
  "close 1") close ;;
  "reverse 3") reverse "${words[1]}" "${words[2]}" ;;
  "start 2") start "${words[1]}" ;;
  "switch 2") switch "${words[1]}" ;;
  "verify 2") verify "${words[1]}" ;;
  "restore 4") restore "${words[1]}" "${words[2]}" "${words[3]}" ;;
  "server 3") server_from_dump "${words[1]}" "${words[2]}" ;;
  "hand-over 1") hand_over ;;
  "tidy 1") tidy ;;
  *) usage >&2; exit 64 ;;
esac
