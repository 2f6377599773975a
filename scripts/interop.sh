#!/usr/bin/env bash
# Makes .hotpath/interop/, where the real clients of the Open Inference Protocol
# lie: a virtual environment with the pinned Python packages, and perf_analyzer.
# Exits with 1 where the Python packages cannot be had. perf_analyzer is left out
# where it cannot be had.
set -euo pipefail
cd "$(dirname "$0")/.."
requirements=$PWD/cmd/gateway/e2e/interop/requirements.txt
home=.hotpath/interop
mkdir -p "$home"
cd "$home"

if ! cmp -s "$requirements" venv/requirements.txt; then
	echo "installing the Python clients (about 650 MB) ..." >&2
	rm -rf venv
	python3 -m venv venv || { echo "python3 with venv is needed" >&2; exit 1; }
	venv/bin/pip install --quiet --disable-pip-version-check --requirement "$requirements" ||
		{ echo "the packages of requirements.txt cannot be installed" >&2; exit 1; }
	cp "$requirements" venv/requirements.txt
fi

# Wheels of tritonclient held NVIDIA's perf_analyzer until it moved; 2.51.0 is the
# last that runs with a C library older than 2.38. It loads the CUDA runtime even
# where it is not used, and libb64.
triton=2.51.0 cuda=12.6.77
if ! perf/perf_analyzer --version >/dev/null 2>&1; then
	echo "fetching perf_analyzer $triton ..." >&2
	rm -rf perf && mkdir perf
	(
		cd perf
		../venv/bin/pip download --quiet --disable-pip-version-check --no-deps "tritonclient==$triton" "nvidia-cuda-runtime-cu12==$cuda"
		for wheel in *.whl; do ../venv/bin/python -m zipfile -e "$wheel" wheels; done
		mkdir lib
		mv "wheels/tritonclient-$triton.data/data/bin/perf_analyzer" perf_analyzer.bin
		mv wheels/nvidia/cuda_runtime/lib/libcudart.so.12 lib/
		if ! ldconfig -p | grep -q 'libb64\.so\.0d'; then
			apt-get download --quiet libb64-0d >&2
			dpkg -x libb64-0d_*.deb b64
			mv b64/usr/lib/*/libb64.so.0d* lib/
		fi
		printf '#!/bin/sh\nhere=$(dirname "$(readlink -f "$0")")\nLD_LIBRARY_PATH=$here/lib exec "$here/perf_analyzer.bin" "$@"\n' >perf_analyzer
		chmod +x perf_analyzer perf_analyzer.bin
		rm -rf wheels b64 ./*.whl ./*.deb
	) || true
	perf/perf_analyzer --version >&2 || { echo "perf_analyzer cannot be had here; what needs it is skipped" >&2; rm -rf perf; }
fi

# StringNormalizer asks for the locale en_US.UTF-8, which few machines have.
if [ ! -d locale/en_US.UTF-8 ]; then
	rm -rf locale && mkdir locale
	(
		cd locale
		apt-get download --quiet locales >&2
		dpkg -x locales_*.deb sources
		I18NPATH=$PWD/sources/usr/share/i18n localedef --no-archive -i en_US -f UTF-8 "$PWD/en_US.UTF-8"
		rm -rf sources ./*.deb
	) || true
	[ -d locale/en_US.UTF-8 ] || echo "the locale en_US.UTF-8 cannot be had here; tests that need it count as not supported" >&2
fi
