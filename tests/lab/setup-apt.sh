# setup's part for apt: the backports source, the missing packages. Sourced by setup.

APT_SOURCES=/etc/apt/sources.list.d
BACKPORTS=$APT_SOURCES/fairlead-backports.sources
PIN=/etc/apt/preferences.d/fairlead-backports

# The URI this machine already takes bookworm from, in either format of apt's sources. We never
# choose a mirror ourselves: behind a firewall, only the machine's own is sure to answer.
mirror_uri() { # SUITE
	local file uri
	for file in "$APT_SOURCES"/*.sources; do
		[ -e "$file" ] || continue
		uri=$(awk -v suite="$1" 'BEGIN { RS = ""; FS = "\n" }
			{ uri = ""; hit = 0; off = 0
			  for (i = 1; i <= NF; i++) {
				n = split($i, w, /[ \t]+/); key = tolower(w[1])
				if (key == "uris:") uri = w[2]
				if (key == "enabled:" && w[2] == "no") off = 1
				if (key == "suites:") for (j = 2; j <= n; j++) if (w[j] == suite) hit = 1
			  }
			  if (hit && uri && !off) { print uri; exit } }' "$file")
		[ -z "$uri" ] || { echo "$uri"; return; }
	done
	# Either may be missing; an early exit of awk would leave the writer with a broken pipe.
	{ cat /etc/apt/sources.list "$APT_SOURCES"/*.list 2>/dev/null || true; } |
		sed 's/\[[^]]*\]//' |
		awk -v suite="$1" '$1 == "deb" && $3 == suite && !uri { uri = $2; print uri }'
}

# Low pin: nothing is upgraded from backports unless a package is asked from there by name.
write_backports() {
	local uri=$1
	cat >"$BACKPORTS" <<-EOF
		Types: deb
		URIs: $uri
		Suites: bookworm-backports
		Components: main
		Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
	EOF
	printf 'Package: *\nPin: release n=bookworm-backports\nPin-Priority: 100\n' >"$PIN"
}

have_backports() {
	[ -n "$(mirror_uri bookworm-backports)" ] && [ -e "$PIN" ]
}

add_backports() {
	local uri
	uri=$(mirror_uri bookworm-backports)
	[ -n "$uri" ] || uri=$(mirror_uri bookworm)
	[ -n "$uri" ] || die "no apt source for bookworm on this machine: the lab needs Debian 12"
	write_backports "$uri"
	apt-get update
}

missing_packages() {
	local p have
	# One dpkg call for all: a call for each would alone take a second.
	have=" $(dpkg-query -W -f '${db:Status-Status}:${Package} ' 2>/dev/null)"
	for p in "$@"; do
		[[ $have == *" installed:$p "* ]] || echo "$p"
	done
}

# Debian 12's own linux-libc-dev is 6.1's: no iommufd.h and no VFIO character devices.
have_uapi() {
	[ -e /usr/include/linux/iommufd.h ]
}

# A package's daemon is not started here: the lab starts its own. Who has a policy of his own has it kept.
start_nothing() {
	local policy=/usr/sbin/policy-rc.d
	[ ! -e "$policy" ] || return 0
	trap 'rm -f /usr/sbin/policy-rc.d' EXIT
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
}

install_packages() {
	local want=("$@")
	start_nothing
	# A version by name, not -t bookworm-backports, which would raise everything else there too.
	have_uapi || want+=("linux-libc-dev/bookworm-backports")
	apt-get update
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${want[@]}"
}

setup_packages() {
	local packages=$BUILD_PACKAGES missing
	[ "$WHAT" = build ] || packages="$packages $LAB_PACKAGES"
	# shellcheck disable=SC2086  # a list of words
	missing=$(missing_packages $packages)
	[ -n "$missing" ] || ! have_uapi || { [ "$WHAT" != build ] && ! have_backports; } || return 0
	need_root "installing packages"
	have_backports || step "apt: add bookworm-backports, pinned low" add_backports
	[ -n "$missing" ] || ! have_uapi || return 0
	# shellcheck disable=SC2086
	step "apt: install what is missing, $(echo $missing | wc -w) packages" install_packages $missing
}
