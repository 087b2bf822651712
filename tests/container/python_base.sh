#!/usr/bin/env bash
# Provides a stand-in for the images on which localstack/Dockerfile is built, where they cannot be pulled: Debian with
# its Python 3.13, make and certificates.
#   python_base.sh IMAGE KEPT
# Exits with 0 (the image exists) or 3 (it cannot be made; the last line says why). KEPT is the archive of the stand-in.
set -euo pipefail
image=$1 kept=$2

impossible() { echo "$*"; exit 3; }

make_archive() {
    local root mirror=http://deb.debian.org/debian
    [ "$(id -u)" = 0 ] || impossible "only root can make a stand-in for $image"
    command -v debootstrap >/dev/null || impossible "a stand-in for $image needs debootstrap"
    # A Debian host may have a mirror of its own that is nearer, or the only one that it reaches.
    if grep -q '^ID=debian' /etc/os-release && command -v apt-get >/dev/null; then
        mirror=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' | awk '$1 !~ /-/ {print $2; exit}')
    fi
    root=$(mktemp -d)
    trap "rm -rf '$root'" EXIT
    chmod 755 "$root"
    debootstrap --variant=minbase --include=python3,python3-venv,make,libstdc++6,ca-certificates trixie "$root" "${mirror:?}" \
        || impossible "Debian's packages for a stand-in cannot be had from $mirror"
    # Whoever works behind a proxy has its certificate among his own, and so need builds in the stand-in.
    cat /etc/ssl/certs/ca-certificates.crt > "$root/etc/ssl/certs/ca-certificates.crt"
    rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale}
    mkdir -p "$(dirname "$kept")"
    tar --create --numeric-owner --directory "$root" --file "$kept.part" .
    mv "$kept.part" "$kept"  # whole, or not at all
}

if [ "$kept" -nt "$0" ]; then
    docker image inspect "$image" >/dev/null 2>&1 && exit 0  # so that Docker's cache of the build stays valid
else
    make_archive
fi
docker import --change 'ENV LANG=C.UTF-8 PATH=/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin' "$kept" "$image"
