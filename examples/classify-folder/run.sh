#!/bin/sh
# usage: run.sh DATA OUT
set -eu
labels2chat convert "imagefolder:$1/imagefolder" -t classify --to azure -o "$2" \
    --images url --url-prefix https://example.com/photos/ --detail low --max-rejects 20%
head -n 1 "$2/train-00000.jsonl"
