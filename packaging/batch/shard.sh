#!/bin/sh
# One shard of a run, with exit codes as batch systems want them.
#
#   sh shard.sh I N SLIDES OUT [option of `lungscan classify` ...]
#
#   0    finished; cases that could not be read have their reason in OUT/cases.csv
#   75   try again: it was interrupted, the folder was in use, or the disk stood in the way
#   else a mistake that no repetition cures; the message says what to change
if [ "$#" -lt 4 ]; then
  echo "Usage: sh shard.sh I N SLIDES OUT [option ...]" >&2
  exit 2
fi
shard=$1 of=$2 slides=$3 out=$4
shift 4
# A batch system ends a job by SIGTERM: it is passed on to lungscan, which then
# leaves no lock behind.
child='' ended=''
trap 'ended=yes; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null' TERM INT
"${LUNGSCAN:-lungscan}" classify "$slides" --out "$out" --shard "$shard/$of" "$@" &
child=$!
[ -z "$ended" ] || kill -TERM "$child"
wait "$child"
status=$?
while kill -0 "$child" 2>/dev/null; do # a signal ends the first wait early
  wait "$child"
  status=$?
done
case $status in
  0 | 1) exit 0 ;;
  5 | 6 | 130 | 137 | 143) exit 75 ;;
  *) exit "$status" ;;
esac
