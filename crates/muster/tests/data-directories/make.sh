#!/bin/sh
# Makes the data directory of a version, for the test that later versions go on from it (`tests/muster/upgrade.rs`):
#
#   sh make.sh target/release/muster 0.1.0.tar.gz
#
# It is made once, by the program of that version, and never again.
set -eu
muster=$(realpath "$1")
out=$(realpath -m "$2")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export HOME="$folder"
data="--data data"

printf 'id,name\n1,Ada\n,Bob\n3,Cy\n' > people.csv
cat > people.toml <<END
name = "People"
kind = "delimited"
[delimited]
path = "people.csv"
native_identity = "id"
[profile]
name = "People"
priority = 1
[[profile.attributes]]
name = "uid"
from = "name"
END
"$muster" source add people.toml $data
"$muster" refresh $data
printf 'id,name\n1,Ada\n3,Cy\n4,Dee\n' > people.csv
"$muster" refresh $data
"$muster" schedule add nightly --refresh --cron '0 2 * * *' $data
"$muster" client create --kind user --name ada --level ORG_ADMIN --scope sp:scopes:all $data > client.json

# A report and its evidence, over HTTP.
"$muster" serve --listen 127.0.0.1:0 $data 2> log &
service=$!
until address=$(sed -n 's/.*listening address=\([0-9.:]*\).*/\1/p' log) && [ -n "$address" ]; do sleep 0.2; done
MUSTER_CLIENT_ID=$(jq --raw-output .id client.json)
MUSTER_CLIENT_SECRET=$(jq --raw-output .secret client.json)
MUSTER_BASE_URL=http://$address
export MUSTER_CLIENT_ID MUSTER_CLIENT_SECRET MUSTER_BASE_URL
mkdir files
"$muster" report run IDENTITIES --wait -o files
run=$("$muster" report list --json id | jq --raw-output '.[0].id')
"$muster" report evidence "$run" --to evidence.zip
kill "$service"
wait "$service" || true

# What the later version must find.
head=$("$muster" audit verify $data | sed -n 's/^head  *//p')
snapshots=$("$muster" snapshot list --json id $data | jq --compact-output 'map(.id)')
key=$("$muster" evidence key --output json $data | jq .fingerprint)
printf '{"version":"%s","auditHead":"%s","snapshots":%s,"evidenceKey":%s}\n' \
    "$("$muster" --version | cut -d' ' -f2)" "$head" "$snapshots" "$key" > noted.json
rm -rf data/work data/*.lock
tar --create --sort=name --owner=0 --group=0 --numeric-owner --use-compress-program 'gzip -n -9' --file "$out" \
    data people.csv people.toml evidence.zip noted.json
