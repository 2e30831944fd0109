# For the other scripts: `environment EXTRAS` makes the virtual environment and puts its programs first on PATH.
# EXTRAS is "", "[test]" or "[test,browser]". The environment is .venv, or the folder that CHARLSTM_VENV names.

say() { printf '%s\n' "$*" >&2; }

find_python() {
    local name
    for name in python3 python py; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
            printf '%s\n' "$name"
            return
        fi
    done
    say "No Python of version 3.10 or later is on the PATH: install one from python.org and try again."
    return 1
}

environment() {
    local extras=$1 venv=${CHARLSTM_VENV:-.venv} python stamp wanted
    if [ ! -e "$venv/bin/python" ] && [ ! -e "$venv/Scripts/python.exe" ]; then
        python=$(find_python) || return
        say "Making the environment $venv ..."
        if ! "$python" -m venv "$venv"; then
            rm -rf "$venv"
            say "Python's venv module doesn't work here (on Debian and Ubuntu: apt install python3-venv)."
            return 1
        fi
    fi
    if [ -d "$venv/Scripts" ]; then PATH="$PWD/$venv/Scripts:$PATH"; else PATH="$(cd "$venv/bin" && pwd):$PATH"; fi
    export PATH

    # The stamp holds the lists that were installed last. If they are the same now, there is nothing to do.
    stamp="$venv/installed$extras"
    wanted=$(cat setup.cfg pyproject.toml constraints.txt)
    if [ ! -e "$stamp" ] || [ "$(cat "$stamp")" != "$wanted" ]; then
        say "Installing charlstm$extras into $venv (PyTorch is large: this takes a minute or more) ..."
        if ! python -m pip install --quiet --disable-pip-version-check -c constraints.txt --editable ".$extras"; then
            say "The installation failed. If it fails again, delete $venv and run this again."
            return 1
        fi
        printf '%s\n' "$wanted" > "$stamp"
    fi
}
