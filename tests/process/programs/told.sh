#!/bin/sh
# told.sh NAME RECORD: writes down when it is told to stop, and ends.
trap 'echo "$1 told" >>"$2"; exit 0' TERM
echo up
while :; do sleep 0.05; done
