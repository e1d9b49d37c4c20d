# Prints each database of the dump $DUMP and the folder of its archive, as its manifest names them.
set -eu
sed -n -e '/^ *"name": /{s/^ *"name": "\(.*\)",$/\1/;h;}' \
  -e '/^ *"folder": /{s/^ *"folder": "\(.*\)",$/\1/;x;G;s/\n/\t/;p;}' "/var/lib/dumps/$DUMP/manifest.json"
