#!/bin/sh
# GNU parallel: shards on this machine, or on others with --sshlogin and a shared file system.
#
#   sh parallel.sh SHARDS JOBS SLIDES OUT [option of parallel, as --sshloginfile nodes.txt ...]
#
# JOBS run at once, each with its part of the cores; what can be tried again is, three times.
set -eu
shards=$1 jobs=$2 slides=$3 out=$4
shift 4
here=$(cd "$(dirname "$0")" && pwd)
threads=$(($(nproc) / jobs))
seq 1 "$shards" | parallel --jobs "$jobs" --retries 3 --halt never "$@" \
  sh "$here/shard.sh" {} "$shards" "$slides" "$out" --quiet --threads "$((threads > 0 ? threads : 1))"
