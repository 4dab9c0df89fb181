#!/bin/sh
# Makes the virtual environment that the peers run in: sh benchmarks/peers/setup.sh VENV
set -eu
here=$(dirname "$0")
python3 -m venv "${1:?usage: setup.sh VENV}"
"$1/bin/python" -m pip install --quiet --requirement "$here/requirements.txt"
