#!/usr/bin/env bash
# Starts a job on Flink, through Beam's Flink job server (a jar) or through one that runs.
#
#   FLINK_MASTER=http://beam-seed-rest:8081 JOB_SERVER_JAR=beam-runners-flink-1.20-job-server-2.77.0.jar templates/flink/run.sh JOB input=... output=... [NAME=VALUE ...]
#   JOB_ENDPOINT=localhost:8099 templates/flink/run.sh JOB input=... output=... [NAME=VALUE ...]
#
# With the jar, the job and what it stages are put into one jar that Flink's REST address takes (no Java is needed here). Without JOB_SERVER_JAR,
# Beam fetches the jar of FLINK_VERSION (1.20). PARALLELISM (4): slots of the whole job. PROCESSES (4): of Python for each task manager, as many as its
# slots. WORKERS: EXTERNAL (a worker pool beside each task manager, as in deployment.yaml), DOCKER, PROCESS or LOOPBACK; WORKERS_CONFIG: the pool's
# address (localhost:50000), the image or the program. PYTHON: the one with the package. DRY_RUN=1 prints the command only.
set -euo pipefail
root="$(cd "$(dirname "$0")/../.." && pwd)"
job="${1:?give the job, such as github}"
shift
run=()
[[ -n ${DRY_RUN:-} ]] && run=(echo)

arguments=("--parallelism=${PARALLELISM:-4}" "--sdk_worker_parallelism=${PROCESSES:-4}")
if [[ -n ${JOB_ENDPOINT:-} ]]; then
    arguments+=(--runner=PortableRunner "--job_endpoint=$JOB_ENDPOINT")
else
    : "${FLINK_MASTER:?give the REST address of Flink, such as http://beam-seed-rest:8081, or JOB_ENDPOINT}"
    arguments+=(--runner=FlinkRunner "--flink_master=$FLINK_MASTER" "--flink_version=${FLINK_VERSION:-1.20}" --flink_submit_uber_jar)
    [[ -n ${JOB_SERVER_JAR:-} ]] && arguments+=("--flink_job_server_jar=$JOB_SERVER_JAR")
fi
workers="${WORKERS:-EXTERNAL}"
config="${WORKERS_CONFIG:-}"
[[ $workers == EXTERNAL ]] && config="${config:-localhost:50000}"
arguments+=("--environment_type=$workers")
[[ -n $config ]] && arguments+=("--environment_config=$config")
"${run[@]}" "${PYTHON:-$root/.venv/bin/python}" -m pipelines.cli "$job" "${@/#/--}" "${arguments[@]}"
