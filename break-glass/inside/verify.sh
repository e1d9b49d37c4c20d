# Compares the dump $DUMP with the hashes of its manifest and reads every archive in it. Runs in the server's container.
set -eu
folder=/var/lib/dumps/$DUMP
if [ ! -f "$folder/manifest.json" ]; then
  echo "there is no dump $DUMP" >&2
  exit 1
fi
cd "$folder"
sums=$(sed -n -e '/^ *"path": /{s/^ *"path": "\(.*\)",$/\1/;h;}' \
  -e '/^ *"sha256": /{s/^ *"sha256": "\([0-9a-f]*\)",\{0,1\}$/\1/;G;s/\n/ */;p;}' manifest.json)
if [ -z "$sums" ]; then
  echo "the manifest of $DUMP names no files" >&2
  exit 1
fi
printf '%s\n' "$sums" | sha256sum --check --strict --quiet -
for folder in db-*; do pg_restore -f /dev/null "$folder"; done
