# One image for the launcher of a Flex Template and for the workers: what is pickled where the job starts is unpickled by the same code.
#
#   docker build --build-arg JOB=github --build-arg VARIANT=cpu --tag IMAGE .
#
# Images of several jobs share every layer but the last, which only names the job. templates/README.md tells the rest.
ARG PYTHON=3.11
ARG BEAM=2.77.0
ARG PYTHON_IMAGE=python:${PYTHON}-slim
ARG BEAM_IMAGE=apache/beam_python${PYTHON}_sdk:${BEAM}
# A static program, so the Python version in its name does not matter.
ARG LAUNCHER_IMAGE=gcr.io/dataflow-templates-base/python311-template-launcher-base:20230622_RC00

FROM ${BEAM_IMAGE} AS beam_sdk
FROM ${LAUNCHER_IMAGE} AS launcher

FROM ${PYTHON_IMAGE} AS build
# cpu, or cuda: torch with the CUDA libraries; the driver comes from the worker.
ARG VARIANT=cpu
WORKDIR /build
COPY templates/requirements.lock templates/cpu.lock templates/cuda.lock templates/
# For the packages alone, so that a change of ours does not install them again. --no-deps: the locks are complete, which `pip check` proves.
# The index with torch's build for processors alone is given by PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS.
ARG PIP_EXTRA_INDEX_URL=
ARG PIP_FIND_LINKS=
# 0 where the builder mounts a cache of pip's at /root/.cache/pip.
ARG PIP_NO_CACHE_DIR=1
# Packages' own tests, and what is there to compile against them, is a tenth of the image; torch_shm_manager is what torch itself starts.
# What is left is compiled on all processors, unlike pip does it; a file that is none of this Python's syntax stays as it is.
# hadolint ignore=DL3042
RUN pip install --no-deps --no-compile --require-hashes --prefix=/install \
        -r templates/requirements.lock -r "templates/${VARIANT}.lock" \
    && find /install/lib -depth \( -type d \( -name tests -o -path '*/torch/test' -o -path '*/torch/include' -o -path '*/pyarrow/include' \) \
        -o -type f \( -name '*.a' -o -path '*/torch/bin/*' ! -name torch_shm_manager \) \) -exec rm -r {} + \
    && { python -m compileall -q -j 0 /install/lib || true; }
COPY pyproject.toml setup.py README.md ./
COPY beam_seed beam_seed
COPY pipelines pipelines
# Another folder, such as scorers/mine, replaces the quality model that is built in.
ARG SCORER=beam_seed/quality/default_scorer
COPY ${SCORER} beam_seed/quality/default_scorer
# hadolint ignore=DL3042
RUN PYTHONPATH="$(echo /install/lib/python3.*/site-packages)" pip install --no-deps --no-build-isolation --prefix=/install .

FROM ${PYTHON_IMAGE}
# The histories of repositories are read by git.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends git && rm -rf /var/lib/apt/lists/* \
    # What Python's image brings of its own would lie beside the locked versions that are copied over it, and be found before them.
    && pip uninstall --yes setuptools wheel
COPY --from=beam_sdk /opt/apache/beam /opt/apache/beam
COPY --from=launcher /opt/google/dataflow/python_template_launcher /opt/google/dataflow/python_template_launcher
COPY --from=build /install /usr/local
COPY templates/main.py /template/main.py
# To the error stream, which builders show to the end.
RUN pip check >&2
# Workers use the packages above as they are, instead of an environment of their own on top of them; models come from files, never by name.
# A worker mounts its driver under /usr/local/nvidia. Compiled functions are kept where every user can write: RUN_AS has no home.
ENV RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1 \
    HF_HUB_OFFLINE=1 \
    LD_LIBRARY_PATH=/usr/local/nvidia/lib64 \
    NUMBA_CACHE_DIR=/tmp/numba \
    FLEX_TEMPLATE_PYTHON_PY_FILE=/template/main.py
# Dataflow mounts folders that only root can write, so its containers run as root. Elsewhere, such as on Flink: --build-arg RUN_AS=65532.
ARG RUN_AS=0
USER ${RUN_AS}
ENTRYPOINT ["/opt/apache/beam/boot"]
ARG JOB=github
ENV BEAM_SEED_JOB=${JOB}
