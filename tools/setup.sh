#!/bin/sh
# Creates the virtual environment for all make targets: setup.sh VENV EXTRA (EXTRA: lab or test).
set -eu
venv=$1
extra=$2

fits() { # a Python that is new enough
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null
}
can_make_venv() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null
}

find_python() {
    found=
    for name in python3.13 python3.12 python3.11 python3.10 python3 python; do
        command -v "$name" >/dev/null 2>&1 && fits "$name" || continue
        found=$name
        can_make_venv "$name" && return 0
    done
    if [ -n "$found" ]; then
        echo "rucat: $found has no venv or ensurepip; install them (on Debian and Ubuntu: apt install python3-venv)" >&2
    else
        echo "rucat: no Python 3.10 or newer on PATH; install one and run make again" >&2
    fi
    exit 1
}

is_whole() { # works, and was not moved
    fits "$venv/bin/python" && [ "$(cat "$venv/.made-in" 2>/dev/null)" = "$PWD" ]
}

if ! is_whole; then
    find_python
    echo "Creating $venv with $("$found" --version) ..."
    "$found" -m venv --clear "$venv"
    echo "$PWD" >"$venv/.made-in"
fi
echo "Installing Rucat with the extra '$extra' into $venv (a few minutes the first time) ..."
# JupyterLab loads the extension from the checkout, where make builds it: pip neither builds nor copies it.
built=rucat_jupyter/labextension
link=$venv/share/jupyter/labextensions/rucat-jupyter
rm -rf "$link" # else pip writes through it into the checkout
mkdir -p "$built" "${link%/*}"
SKIP_JUPYTER_BUILDER=1 "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --use-pep517 --no-compile \
    --editable ".[$extra]"
rm -rf "$link"
ln -s "$PWD/$built" "$link"
# pip would compile on one core, and also the tests of packages. compileall fails after it has compiled all other files if
# one is for another Python.
"$venv/bin/python" -m compileall -q -j 0 -x 'site-packages/.*/tests?/' "$venv/lib" >/dev/null || :

has_browser() {
    [ -n "${RUCAT_TEST_CHROMIUM:-}" ] && return 0
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        command -v "$name" >/dev/null 2>&1 && return 0
    done
    return 1
}

# Tests in JupyterLab need a browser; without one they skip, and say so.
if [ "$extra" = test ] && ! has_browser && command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    echo "Installing Chromium for the tests in JupyterLab ..."
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium; } >/dev/null 2>&1 ||
        echo "rucat: Chromium could not be installed; tests in JupyterLab skip" >&2
fi
touch "$venv/.ready-$extra"
