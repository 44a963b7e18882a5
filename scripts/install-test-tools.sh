#!/bin/sh
# install-test-tools.sh installs the peers that the tests run against: the MQTT
# broker mosquitto with its clients, PostgreSQL, tshark and openssl (Debian and Ubuntu, as
# root or with sudo), and an OpenID provider for Node.js, which must be there. No daemon is
# started or left enabled: the tests start their own broker and provider on a free port, and
# their own database on a socket. Running it again does nothing.
set -eu

tools='mosquitto mosquitto_pub mosquitto_sub tshark openssl'
policy=/usr/sbin/policy-rc.d
PATH=$PATH:/usr/sbin:/sbin

die() {
	echo "install-test-tools: $*" >&2
	exit 1
}

# postgres prints the newest server program, which is in no PATH.
postgres() {
	ls /usr/lib/postgresql/*/bin/postgres 2>/dev/null | tail -n 1
}

missing() {
	for tool in $tools; do
		command -v "$tool" >/dev/null || printf '%s ' "$tool"
	done
	[ -n "$(postgres)" ] || printf 'postgres '
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

# block_daemons makes the maintainer scripts start no service until
# restore_policy puts back what was there before.
block_daemons() {
	if as_root test -e "$policy"; then
		as_root mv "$policy" "$policy.before-test-tools"
	fi
	printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
	as_root chmod 755 "$policy"
}

restore_policy() {
	as_root rm -f "$policy"
	if as_root test -e "$policy.before-test-tools"; then
		as_root mv "$policy.before-test-tools" "$policy"
	fi
}

install_tools() {
	command -v apt-get >/dev/null || die "no apt-get here; install by hand: $(missing)"
	[ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null || die 'run as root, or install sudo'

	block_daemons
	trap restore_policy EXIT
	trap 'exit 1' HUP INT TERM

	# Captures by ordinary users are not needed: the tests only read files.
	if command -v debconf-set-selections >/dev/null; then
		echo 'wireshark-common wireshark-common/install-setuid boolean false' |
			as_root debconf-set-selections
	fi
	as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
		mosquitto mosquitto-clients postgresql tshark openssl

	restore_policy
	trap - EXIT HUP INT TERM

	if [ -d /run/systemd/system ]; then
		as_root systemctl disable --now mosquitto.service postgresql.service
	fi
}

if [ -n "$(missing)" ]; then
	install_tools
fi
[ -z "$(missing)" ] || die "still missing: $(missing)"

# The provider is installed as its lock file says, without scripts of packages.
install_provider() {
	command -v node >/dev/null && command -v npm >/dev/null ||
		die 'there is no Node.js: install Node.js 18 or newer with npm (Debian, Ubuntu: apt-get install nodejs npm)'
	npm ci --prefix "$provider" --ignore-scripts --no-audit --no-fund --loglevel=error
}

provider=$(cd "$(dirname "$0")/../test/oidc" && pwd)
if ! cmp -s "$provider/package-lock.json" "$provider/node_modules/.installed-lock"; then
	install_provider
	cp "$provider/package-lock.json" "$provider/node_modules/.installed-lock"
fi

# mosquitto has no version flag; -h prints it first, with exit code 3.
mosquitto -h 2>&1 | sed -n 1p || true
mosquitto_pub --version 2>&1 | sed -n 1p || true
"$(postgres)" --version
tshark --version 2>/dev/null | sed -n 1p
openssl version
echo "node $(node --version), oidc-provider $(node -p "require('$provider/node_modules/oidc-provider/package.json').version")"
