#!/bin/sh
# usage: run.sh DATA OUT
set -eu
labels2chat inspect "coco:$1/coco/annotations/instances_train.json"
labels2chat convert "coco:$1/coco/annotations/instances_train.json" -t detect -o "$2" --dry-run
labels2chat convert "coco:$1/coco/annotations/instances_train.json" -t detect -o "$2"
labels2chat validate "$2"
