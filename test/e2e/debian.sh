# Debian packages that are unpacked into a cache, not installed. Sourced by the prepare programs; they set
#   cache    the cache's folder of this program
#   work     the folder that is being made (made_once sets it)
# and call made_once.

# The archive that this machine gets its Debian from; it has the other releases too.
debian_uri() {
    local release
    release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' | sed -n "s/^$release //p" | head -1
}

say() { printf '%s: [%s s] %s\n' "${0##*/}" $SECONDS "$*" >&2; }
# fail WHAT WHAT-TO-DO
fail() {
    printf '%s: %s. %s\n' "${0##*/}" "$1" "$2" >&2
    exit 1
}

# use_release RELEASE: from here on apt is an apt-get that knows that release alone, with its sources, whatever this machine runs
use_release() {
    local uri folder=$work/apt-$1
    uri=$(debian_uri)
    [ -n "$uri" ] || fail "apt has no list of this machine's Debian release" "Run 'apt-get update' and try again"
    mkdir -p "$folder"/{lists,archives}/partial
    printf 'deb %s %s main\ndeb-src %s %s main\n' "$uri" "$1" "$uri" "$1" >"$folder/sources.list"
    apt=(apt-get -qq -o APT::Sandbox::User=root -o "Dir::Etc::sourcelist=$folder/sources.list" -o Dir::Etc::sourceparts=-
        -o "Dir::State::lists=$folder/lists" -o "Dir::Cache=$folder")
    timeout 300 "${apt[@]}" update >&2 || fail "the lists of Debian's $1 cannot be downloaded" "Check the network, then try again"
}

# fetch_source PACKAGE FOLDER: the files of a source package
fetch_source() {
    mkdir -p "$2"
    (cd "$2" && timeout 600 "${apt[@]}" source --download-only "$1") >&2 ||
        fail "the source package $1 cannot be downloaded" "Check the network, then try again"
}

# unpack_packages FOLDER PACKAGE…
unpack_packages() {
    local folder=$1 deb
    shift
    rm -rf "$work/debs"
    mkdir -p "$work/debs" "$folder"
    (cd "$work/debs" && timeout 600 "${apt[@]}" download "$@") >&2 ||
        fail "a package cannot be downloaded: $*" "Check the network, then try again"
    for deb in "$work"/debs/*.deb; do dpkg-deb -x "$deb" "$folder"; done
    rm -rf "$work/debs"
}

# made_once COMMAND…: prints a folder of the cache whose name is the recipe, this program and this file. Where it is missing, COMMAND
# makes $work/whole, which becomes it. One at a time; what an interrupted one left is never taken for whole.
made_once() {
    local target
    mkdir -p "$cache"
    target=$cache/$(cat "$0" "${BASH_SOURCE[0]}" | sha256sum | cut -c1-16)
    exec 9>"$cache/prepare.lock"
    flock -n 9 || { say "another one is at work, waiting for it"; flock -w 3600 9 || fail "the other prepare did not end" "End it"; }
    if [ ! -d "$target" ]; then
        rm -rf "$cache"/.unfinished.*
        work=$(mktemp -d "$cache/.unfinished.XXXXXX")
        trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
        mkdir "$work/whole"
        "$@"
        mv "$work/whole" "$target"
        say "done"
    fi
    touch "$target"
    # Other checkouts may have other recipes: the three used last stay.
    ls -td "$cache"/????????????????/ | tail -n +4 | xargs -r rm -rf
    echo "$target"
}
