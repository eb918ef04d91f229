#!/bin/bash
# A Slurm array: as many tasks as shards, one output folder on a file system that all nodes share.
#
#   SHARDS=16 SLIDES=/data/slides OUT=/data/results sbatch --array=1-16 slurm-array.sh
#
# Only the numbers of --array that failed may be submitted again: SHARDS stays what it was.
#SBATCH --job-name=lungscan
#SBATCH --cpus-per-task=4
#SBATCH --mem=8G
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --signal=B:TERM@120
set -u
: "${SHARDS:?how many shards there are in all}" "${SLIDES:?the folder with the slides}" "${OUT:?the folder for the results}"
# Slurm copies this script elsewhere, so the other one is looked for where it was submitted from.
here=${LUNGSCAN_BATCH:-${SLURM_SUBMIT_DIR:-.}}
child='' ended=''
trap 'ended=yes; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null' TERM
sh "$here/shard.sh" "$SLURM_ARRAY_TASK_ID" "$SHARDS" "$SLIDES" "$OUT" \
  --quiet --threads "${SLURM_CPUS_PER_TASK:-1}" "$@" &
child=$!
[ -z "$ended" ] || kill -TERM "$child"
wait "$child"
status=$?
while kill -0 "$child" 2>/dev/null; do
  wait "$child"
  status=$?
done
if [ "$status" -eq 75 ] && [ "${SLURM_RESTART_COUNT:-0}" -lt 5 ]; then
  scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}" && exit 0
fi
exit "$status"
