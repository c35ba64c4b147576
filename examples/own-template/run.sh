#!/bin/sh
# usage: run.sh DATA OUT
set -eu
here=$(dirname "$0")
labels2chat templates check "$here/fruit.yaml"
labels2chat convert "coco:$1/coco/annotations/instances_train.json" -t "$here/fruit.yaml" -o "$2" --seed 7
labels2chat validate "$2"
