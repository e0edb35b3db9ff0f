# Shared by vm and its parts: where things lie, how to speak.  Sourced; needs $vm_dir (the folder test/vm).

cache_base=${RAILHEAD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/railhead}/testbed

say() { printf 'vm: %s\n' "$*" >&2; }

# fail TEXT: the run cannot go on and no exit code of the guest exists. 125 is what callers take for "the VM failed".
fail() {
    printf 'vm: %s\n' "$@" >&2
    exit 125
}

# need_program PROGRAM...
need_program() {
    local p
    for p; do
        command -v "$p" >/dev/null || fail "'$p' is missing on this machine" "run './dev setup', which installs what the testbed needs"
    done
}

codename() { (. /etc/os-release && printf '%s' "${VERSION_CODENAME:-unknown}"); }

# A hash of everything that decides what a prepared testbed is made of, but for the versions of the Debian packages.
recipe_hash() {
    {
        codename
        cd "$vm_dir" && find lib/prepare.sh lib/guest-init modules -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
    } | sha256sum | cut -c1-16
}

# The folder of the prepared testbed for today's recipe, newest kernel first; empty when there is none.
# Its name is RECIPE-KERNEL, and it gets that name only when it is whole.
prepared_testbed() {
    local d newest=
    for d in "$cache_base/$(recipe_hash)"-*/; do
        [ -d "$d" ] && { [ -z "$newest" ] || [ "$d" -nt "$newest" ]; } && newest=${d%/}
    done
    printf '%s' "$newest"
}
