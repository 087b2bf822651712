#!/usr/bin/env bash
# Provides the image in which `sam local` runs functions, under the name that `sam local` expects: AWS's own image if it
# can be pulled, otherwise a stand-in made of Debian's Python 3.13 and AWS's Python runtime client.
#   base_image.sh IMAGE ARCHITECTURE PYTHON KEPT
#   IMAGE         public.ecr.aws/lambda/python:3.13-x86_64
#   ARCHITECTURE  x86_64 or arm64; the stand-in can only be made for this machine's processor
#   PYTHON        interpreter with the SAM CLI, which contains the runtime interface emulator
#   KEPT          archive in which the stand-in is stored, because making it takes half a minute
# Exits with 0 (the image exists) or 3 (the image cannot be provided; the last line says why). A stand-in has the label
# anemonefish.stand-in, which distinguishes it from AWS's image: it has a newer glibc than Amazon Linux.
set -euo pipefail

image=$1 architecture=$2 python=$3 kept=$4
suite=trixie  # Debian 13, whose python3 is 3.13
version=3.13
here=$(cd "$(dirname "$0")" && pwd)

impossible() { echo "$*"; exit 3; }

# --- the file system of a function: the layout that AWS documents and `sam local` relies on ---------------------

bare_debian() {  # ROOT
    local mirror=http://deb.debian.org/debian
    # A Debian host may have a mirror of its own that is nearer, or the only one that it reaches.
    if grep -q '^ID=debian' /etc/os-release && command -v apt-get >/dev/null; then
        mirror=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' | awk '$1 !~ /-/ {print $2; exit}')
    fi
    debootstrap --variant=minbase --include=python3,libstdc++6,ca-certificates "$suite" "$1" "${mirror:?}" \
        || impossible "$image: cannot be pulled, and Debian's packages for a stand-in cannot be had from $mirror"
    # Whoever works behind a proxy has its certificate among his own, and so need builds in the stand-in.
    cat /etc/ssl/certs/ca-certificates.crt > "$1/etc/ssl/certs/ca-certificates.crt"
    rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/* "$1"/usr/share/{doc,man,locale}
}

lambda_runtime() {  # ROOT
    local machine=x86_64
    [ "$architecture" = x86_64 ] || machine=aarch64
    mkdir -p "$1"/var/task "$1"/var/runtime "$1"/opt "$1"/var/lang/bin
    ln -s /usr/bin/python3 "$1/var/lang/bin/python$version"
    "$python" -m pip install --quiet --disable-pip-version-check --no-compile --target "$1/var/runtime" \
        --only-binary=:all: --implementation cp --python-version "$version" \
        --platform "manylinux_2_28_$machine" --platform "manylinux2014_$machine" \
        --requirement "$here/../../localstack/runtime.txt"
    # AWS's image has pip, with which image/Dockerfile installs.
    "$python" -m pip install --quiet --disable-pip-version-check --no-compile \
        --target "$1/usr/local/lib/python$version/dist-packages" pip
    cat > "$1/var/runtime/bootstrap" <<'BOOTSTRAP'
#!/bin/sh
export PYTHONPATH="$LAMBDA_TASK_ROOT:/opt/python:/opt/python/lib/python3.13/site-packages:/var/runtime"
export AWS_EXECUTION_ENV=AWS_Lambda_python3.13
exec /var/lang/bin/python3.13 -m awslambdaric "$_HANDLER"
BOOTSTRAP
    chmod 755 "$1/var/runtime/bootstrap"
}

# What an image function starts with; `sam local` brings its own emulator for zips.
emulator() {  # ROOT
    local rapid
    rapid=$("$python" -c 'import pathlib, samcli; print(pathlib.Path(samcli.__file__).parent / "local/rapid")')
    install -D -m 755 "$rapid/aws-lambda-rie-$architecture" "$1/usr/local/bin/aws-lambda-rie"
    cat > "$1/lambda-entrypoint.sh" <<'ENTRYPOINT'
#!/bin/sh
export _HANDLER="${1:?which handler?}"
[ -n "$AWS_LAMBDA_RUNTIME_API" ] && exec /var/runtime/bootstrap
exec /usr/local/bin/aws-lambda-rie /var/runtime/bootstrap
ENTRYPOINT
    chmod 755 "$1/lambda-entrypoint.sh"
}

make_archive() {
    local root
    [ "$(id -u)" = 0 ] || impossible "$image: cannot be pulled, and only root can make a stand-in"
    command -v debootstrap >/dev/null || impossible "$image: cannot be pulled, and a stand-in needs debootstrap"
    root=$(mktemp -d)
    trap "rm -rf '$root'" EXIT
    chmod 755 "$root"  # becomes / of every function, whose user is not root in an account
    bare_debian "$root"
    lambda_runtime "$root"
    emulator "$root"
    mkdir -p "$(dirname "$kept")"
    tar --create --numeric-owner --directory "$root" --file "$kept.part" .
    mv "$kept.part" "$kept"  # whole, or not at all
}

# --- which image ------------------------------------------------------------------------------------------------

# Made anew when this script or the versions of Lambda's own packages change.
is_fresh() { [ "$kept" -nt "$0" ] && [ "$kept" -nt "$here/../../localstack/runtime.txt" ]; }

stand_in=$(docker image inspect --format '{{index .Config.Labels "anemonefish.stand-in"}}' "$image" 2>/dev/null) \
    || stand_in=nothing
if [ -z "$stand_in" ] || { [ "$stand_in" = true ] && is_fresh; }; then
    echo "$image: is there"
elif docker pull --quiet "$image"; then
    echo "$image: pulled"
else
    is_fresh || make_archive
    docker import \
        --change 'ENV LANG=en_US.UTF-8 TZ=:/etc/localtime PATH=/var/lang/bin:/usr/local/bin:/usr/bin:/bin:/opt/bin' \
        --change 'ENV LD_LIBRARY_PATH=/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/task:/var/task/lib:/opt/lib' \
        --change 'ENV LAMBDA_TASK_ROOT=/var/task LAMBDA_RUNTIME_DIR=/var/runtime' \
        --change 'LABEL anemonefish.stand-in=true' \
        --change 'WORKDIR /var/task' --change 'ENTRYPOINT ["/lambda-entrypoint.sh"]' \
        "$kept" "$image"
    echo "$image: made a stand-in"
fi
