#!/usr/bin/env bash
# Builds the real Dockerfile without any registry: buildah, and stand-ins for its three base images made on this machine.
#
#   templates/build_offline.sh NAME [VARIANT [JOB [OPTION...]]]
#
# Needs root, buildah and debootstrap. The Python image is Debian with a copy of PYTHON's installation (python3.11 by default) in /usr/local; ROOTFS, a
# folder, keeps that Debian for later builds. The boot program and the launcher are scripts that start what the real ones start.
# PIP_FIND_LINKS, a folder, is where torch's build for processors alone lies; this machine's cache of pip is used and filled. An OPTION is one of buildah's,
# such as --build-arg=SCORER=scorers/mine, or --layers to keep and reuse what the packages' step made. STORAGE_DRIVER: of buildah; overlay where this machine
# can mount one, else vfs, which copies every layer whole. The last line printed is the driver, by which later commands find the image.
set -euo pipefail
cd "$(dirname "$0")/.."
name="${1:?give a name for the image}"
variant="${2:-cpu}"
job="${3:-github}"
rootfs="${ROOTFS:-}"
if [[ -z $rootfs ]]; then
    rootfs="$(mktemp -d)"
    trap 'rm -rf --one-file-system "$rootfs"' EXIT
fi
prefix="$("${PYTHON:-python3.11}" -c 'import sys; print(sys.base_prefix)')"
export BUILDAH_ISOLATION=chroot

# Whether buildah can make and mount a container with this storage driver.
usable() {
    local probe status=0
    probe="$(buildah --storage-driver "$1" from scratch 2>/dev/null)" || return
    buildah --storage-driver "$1" mount "$probe" >/dev/null 2>&1 || status=1
    buildah --storage-driver "$1" rm "$probe" >/dev/null
    return "$status"
}

if [[ -z ${STORAGE_DRIVER:-} ]]; then
    STORAGE_DRIVER=vfs
    if usable overlay; then STORAGE_DRIVER=overlay; fi
fi
export STORAGE_DRIVER

if [[ ! -e $rootfs/etc/debian_version ]]; then
    libraries=ca-certificates,libbz2-1.0,libexpat1,libffi8,liblzma5,libreadline8,libsqlite3-0,libssl3,libuuid1,netbase,tzdata,zlib1g
    debootstrap --variant=minbase --include="$libraries" bookworm "$rootfs" >&2
fi

# image NAME COMMAND...: an image of what COMMAND puts into the folder that it is given.
image() {
    local container folder
    container="$(buildah from scratch)"
    folder="$(buildah mount "$container")"
    "${@:2}" "$folder"
    buildah config --env PATH=/usr/local/bin:/usr/bin:/bin --env PIP_CERT=/etc/ssl/certs/ca-certificates.crt "$container"
    buildah umount "$container" >/dev/null
    buildah commit --quiet --rm "$container" "$1"
}

python_image() {
    cp -a "$rootfs/." "$1"
    rm -rf "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/*
    cp -a "$prefix/bin" "$prefix/lib" "$1/usr/local/"
    sed -i "1s|^#!$prefix/|#!/usr/local/|" "$1"/usr/local/bin/pip*
    # Of the installation only Python itself and pip: what is installed must come from the lock.
    find "$1"/usr/local/lib/python3.*/site-packages -mindepth 1 -maxdepth 1 ! -name 'pip*' ! -name 'setuptools*' ! -name '_distutils_hack' \
        ! -name 'distutils-precedence.pth' -exec rm -r {} +
    rm -rf "$1"/usr/local/lib/python3.*/test "$1"/usr/local/lib/python3.*/config-3.* "$1"/usr/local/lib/lib*.a
    chroot "$1" ldconfig
    install -D "$(realpath /etc/ssl/certs/ca-certificates.crt)" "$1/etc/ssl/certs/ca-certificates.crt"
}

script() {
    install -D -m 755 /dev/stdin "$3$1" <<<"#!/bin/sh
$2"
}

image localhost/python python_image
# shellcheck disable=SC2016
image localhost/beam_sdk script /opt/apache/beam/boot 'exec python -m apache_beam.runners.worker.sdk_worker_main "$@"'
# shellcheck disable=SC2016
image localhost/launcher script /opt/google/dataflow/python_template_launcher 'exec python "$FLEX_TEMPLATE_PYTHON_PY_FILE" "$@"'

options=()
if cache="$("${PYTHON:-python3.11}" -m pip cache dir)"; then
    mkdir -p "$cache"
    options+=(--volume "$cache:/root/.cache/pip" --build-arg PIP_NO_CACHE_DIR=0)
fi
if [[ -d ${PIP_FIND_LINKS:-} ]]; then
    options+=(--volume "$PIP_FIND_LINKS:$PIP_FIND_LINKS:ro" --build-arg "PIP_FIND_LINKS=$PIP_FIND_LINKS")
fi
buildah bud --pull-never --ignorefile .dockerignore --tag "$name" "${options[@]}" \
    --build-arg PYTHON_IMAGE=localhost/python --build-arg BEAM_IMAGE=localhost/beam_sdk --build-arg LAUNCHER_IMAGE=localhost/launcher \
    --build-arg "VARIANT=$variant" --build-arg "JOB=$job" "${@:4}" .
buildah images "$name"
echo "$STORAGE_DRIVER"
