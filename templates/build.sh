#!/usr/bin/env bash
# Builds, pushes and publishes the template of one job.
#
#   REPOSITORY=us-central1-docker.pkg.dev/PROJECT/beam-seed BUCKET=my-bucket templates/build.sh JOB [VARIANT]
#
# JOB: a command of docs/parameters.md. VARIANT: cpu (default) or cuda. VERSION: tag of the image and folder of the spec; the commit by default.
# LAUNCHER_IMAGE: another tag of the launcher's base image. TORCH_INDEX: index page with torch's build for processors alone. SCORER: a folder under
# scorers/ with the quality model to build in. DRY_RUN=1 prints the commands only.
set -euo pipefail
cd "$(dirname "$0")/.."
job="${1:?give the job, such as github}"
variant="${2:-cpu}"
: "${REPOSITORY:?give the repository of images}" "${BUCKET:?give the bucket of the specs}"
version="${VERSION:-$(git rev-parse --short HEAD)}"
image="$REPOSITORY/$job:$version-$variant"
run=()
[[ -n ${DRY_RUN:-} ]] && run=(echo)

arguments=(--build-arg "JOB=$job" --build-arg "VARIANT=$variant")
[[ -n ${LAUNCHER_IMAGE:-} ]] && arguments+=(--build-arg "LAUNCHER_IMAGE=$LAUNCHER_IMAGE")
[[ -n ${TORCH_INDEX:-} ]] && arguments+=(--build-arg "PIP_EXTRA_INDEX_URL=$TORCH_INDEX")
[[ -n ${SCORER:-} ]] && arguments+=(--build-arg "SCORER=$SCORER")
# First, because it is what needs the environment of `make setup`.
spec="$(mktemp)"
trap 'rm -f "$spec"' EXIT
"${PYTHON:-.venv/bin/python}" -m pipelines.templates "--job=$job" "--image=$image" >"$spec"
"${run[@]}" docker build "${arguments[@]}" --tag "$image" .
"${run[@]}" docker push "$image"
"${run[@]}" gcloud storage cp --content-type=application/json "$spec" "gs://$BUCKET/templates/$version/$job.json"
echo "gs://$BUCKET/templates/$version/$job.json"
