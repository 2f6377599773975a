#!/usr/bin/env bash
# Trains and exports every committed model again, in a virtual environment of its
# own. Only for changing the models: running and testing need no Python.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=.hotpath/python
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --requirement models/demo/requirements.txt
"$venv/bin/python" models/demo/train.py
"$venv/bin/python" models/testdata/make_fixtures.py
"$venv/bin/python" bench/testdata/make_models.py
