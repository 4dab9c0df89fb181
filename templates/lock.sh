#!/usr/bin/env bash
# Locks what the image installs, with hashes: requirements.lock (all but torch), cpu.lock and cuda.lock (torch and its libraries).
# The versions are those of requirements.txt. Needs uv. TORCH_CPU: the wheel file of torch's build for processors alone.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${TORCH_CPU:?give the wheel file of the CPU build of torch}"

# Prints the requirements of a lock, hashes included, that are torch and its CUDA libraries (1), or the others (0).
part() {
    awk -v want="$1" '/^[a-z0-9]/ { found = /^(torch|triton|nvidia-|cuda-)/ ? 1 : 0 } found == want'
}

whole="$(uv pip compile --quiet --constraint requirements.txt --generate-hashes --python-version 3.11 --no-header --no-annotate pyproject.toml)"
part 0 <<<"$whole" >templates/requirements.lock
part 1 <<<"$whole" >templates/cuda.lock
digest="$(sha256sum "$TORCH_CPU" | cut -d ' ' -f 1)"
printf 'torch==%s+cpu \\\n    --hash=sha256:%s\n' "$(sed -n 's/^torch==//p' requirements.txt)" "$digest" >templates/cpu.lock
