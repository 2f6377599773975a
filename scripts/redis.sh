#!/usr/bin/env bash
# Makes sure that redis-server is there for the tests: installs it by apt-get
# where it is missing and this user may.
set -euo pipefail
command -v redis-server >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	echo "installing redis-server ..." >&2
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends redis-server redis-sentinel >/dev/null
	command -v redis-server >/dev/null && exit 0
fi
echo "redis-server is needed by the tests: install it (Debian: apt-get install redis-server)" >&2
exit 1
