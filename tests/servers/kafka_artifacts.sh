#!/bin/sh
# Fetches, once, the Kafka that some tests start: its jars by Maven into a folder outside the repository.
# DUCO_KAFKA_DIR names another folder. Does nothing where they are there.
# Exit codes: 0 done or left to the user, 1 Maven failed, 75 Maven Central could not be reached.
set -eu

pom=$(dirname "$0")/kafka-pom.xml
version=$(sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' "$pom")
folder=${DUCO_KAFKA_DIR:-$HOME/.cache/duco_rt/kafka-$version}
if [ -d "$folder/jars" ]; then exit 0; fi

if ! command -v mvn >/dev/null 2>&1 || ! command -v java >/dev/null 2>&1; then
    echo "Not there: Maven or Java (packages maven, default-jre-headless). The tests that need Kafka will be skipped."
    exit 0
fi

mkdir -p "$folder"
half=$(mktemp -d "$folder/half.XXXXXX") # a folder called jars is always whole
log=$(mktemp)
trap 'rm -rf "$half" "$log"' EXIT
trap 'exit 130' INT TERM

echo "Fetching Kafka $version for the tests (the first time takes a minute)"
if mvn --batch-mode --no-transfer-progress --strict-checksums --file "$pom" \
    dependency:copy-dependencies -DincludeScope=runtime "-DoutputDirectory=$half" >"$log" 2>&1; then
    mv "$half" "$folder/jars" 2>/dev/null || [ -d "$folder/jars" ]
    exit 0
fi
grep '^\[ERROR\]' "$log" | head -3
if grep -Eiq 'could not transfer|unknown host|connection refused|timed out|unreachable|name resolution|previous attempt' "$log"
then
    echo "Maven Central cannot be reached. The tests that need Kafka will be skipped."
    exit 75
fi
exit 1
