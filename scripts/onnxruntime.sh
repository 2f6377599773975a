#!/usr/bin/env bash
# Takes the ONNX Runtime shared library out of the npm package onnxruntime-node
# and leaves it, verified, in .onnxruntime/<os>-<arch>/. Does nothing when it is
# there already or when ONNXRUNTIME_LIB names another one.
set -euo pipefail
cd "$(dirname "$0")/.."

version=1.30.0
if [ -n "${ONNXRUNTIME_LIB:-}" ]; then
	[ -f "$ONNXRUNTIME_LIB" ] || { echo "ONNXRUNTIME_LIB=$ONNXRUNTIME_LIB: no such file" >&2; exit 1; }
	exit 0
fi

case "$(uname -s)-$(uname -m)" in
Linux-x86_64)
	platform=linux-amd64 member=bin/napi-v6/linux/x64/libonnxruntime.so.1
	sum=ffb75a925ba05e47b235bb66e3e3911714a80b328a9c9425539feb204aa32a23 ;;
Linux-aarch64 | Linux-arm64)
	platform=linux-arm64 member=bin/napi-v6/linux/arm64/libonnxruntime.so.1
	sum=1f549d46250b005580b597f4164984aaf75b3bcb9f3aeb07c7f8a8fe60b23c76 ;;
Darwin-arm64)
	platform=darwin-arm64 member=bin/napi-v6/darwin/arm64/libonnxruntime.1.dylib
	sum=685d2be5dba1309c89d3a5324b7fd06a5c42f1a61bfea32d14c4cc28d072121d ;;
*)
	echo "no ONNX Runtime library is pinned for $(uname -s) $(uname -m): set ONNXRUNTIME_LIB to the path of one (1.29 or later)" >&2
	exit 1 ;;
esac

sha256() { if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d' ' -f1; }

target=.onnxruntime/$platform/$(basename "$member")
if [ -f "$target" ] && [ "$(sha256 "$target")" = "$sum" ]; then
	exit 0
fi
command -v npm >/dev/null || { echo "npm is needed to fetch ONNX Runtime $version (or set ONNXRUNTIME_LIB)" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "fetching ONNX Runtime $version (npm package onnxruntime-node, about 110 MB) ..." >&2
(cd "$work" && npm pack --silent "onnxruntime-node@$version" >/dev/null)
tar -xzf "$work/onnxruntime-node-$version.tgz" -C "$work" "package/$member"
got=$(sha256 "$work/package/$member")
if [ "$got" != "$sum" ]; then
	echo "ONNX Runtime $version for $platform: SHA-256 is $got, expected $sum: not installed" >&2
	exit 1
fi
mkdir -p "$(dirname "$target")"
mv "$work/package/$member" "$target.tmp" && mv "$target.tmp" "$target"
echo "installed $target" >&2
