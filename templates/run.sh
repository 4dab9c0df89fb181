#!/usr/bin/env bash
# Starts a job from its template.
#
#   PROJECT=my-project BUCKET=my-bucket VERSION=v1 templates/run.sh JOB input=gs://... output=gs://... [NAME=VALUE ...]
#
# REGION (us-central1), NAME of the job, MAX_WORKERS (50), MACHINE_TYPE (n2-highmem-8), SERVICE_ACCOUNT, SUBNETWORK (turns public addresses off), KMS_KEY,
# LABELS (a=b,c=d), FLEXRS=1, EXPERIMENTS and PIPELINE_OPTIONS (name=value, with commas). DRY_RUN=1 prints the command only.
set -euo pipefail
job="${1:?give the job, such as github}"
shift
: "${PROJECT:?give the project}" "${BUCKET:?give the bucket}" "${VERSION:?give the version that templates/build.sh published}"
run=()
[[ -n ${DRY_RUN:-} ]] && run=(echo)

arguments=("--project=$PROJECT" "--region=${REGION:-us-central1}" "--template-file-gcs-location=gs://$BUCKET/templates/$VERSION/$job.json")
arguments+=("--max-workers=${MAX_WORKERS:-50}" "--worker-machine-type=${MACHINE_TYPE:-n2-highmem-8}")
arguments+=("--staging-location=gs://$BUCKET/staging" "--temp-location=gs://$BUCKET/temp")
[[ -n ${SERVICE_ACCOUNT:-} ]] && arguments+=("--service-account-email=$SERVICE_ACCOUNT")
[[ -n ${SUBNETWORK:-} ]] && arguments+=("--subnetwork=$SUBNETWORK" --disable-public-ips)
[[ -n ${KMS_KEY:-} ]] && arguments+=("--dataflow-kms-key=$KMS_KEY")
[[ -n ${LABELS:-} ]] && arguments+=("--additional-user-labels=$LABELS")
[[ -n ${FLEXRS:-} ]] && arguments+=(--flexrs-goal=COST_OPTIMIZED)
[[ -n ${EXPERIMENTS:-} ]] && arguments+=("--additional-experiments=$EXPERIMENTS")
[[ -n ${PIPELINE_OPTIONS:-} ]] && arguments+=("--additional-pipeline-options=$PIPELINE_OPTIONS")
# Lists of paths hold commas, so parameters are parted by another character.
parameters="$(
    IFS='~'
    echo "$*"
)"
"${run[@]}" gcloud dataflow flex-template run "${NAME:-beam-seed-$job-$(date -u +%Y%m%d-%H%M%S)}" "${arguments[@]}" "--parameters=^~^$parameters"
