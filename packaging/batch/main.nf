// Nextflow: a task per shard, by whatever executor the profile names.
//
//   nextflow run main.nf --slides /data/slides --out /data/results --shards 16 -profile slurm
//
// Both paths must be on a file system that all nodes share; results are not staged.

params.slides = null
params.out = null
params.shards = 4
params.options = ''

process CLASSIFY {
    tag "${shard}/${params.shards}"
    cpus 4
    memory '8 GB'
    maxRetries 3
    errorStrategy { task.exitStatus == 75 ? 'retry' : 'finish' }

    input:
    val shard

    output:
    val shard

    script:
    """
    sh '${projectDir}/shard.sh' ${shard} ${params.shards} '${params.slides}' '${params.out}' \\
        --quiet --threads ${task.cpus} ${params.options}
    """
}

workflow {
    if (!params.slides || !params.out) {
        error 'Say --slides and --out, both as absolute paths.'
    }
    CLASSIFY(Channel.of(1..params.shards))
}
