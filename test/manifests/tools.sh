# kubectl and promtool from Debian's packages, without installing these: the package `prometheus` would start a server, and
# `kubernetes-client` cannot stand beside another kubectl. Sourced.

# tools_folder: prints the folder that holds both; fetched once (27 MB) and kept outside the tree
tools_folder() {
    local cache=${RAILHEAD_CACHE:-${HOME:?}/.cache/railhead}/tools work name
    if [ ! -x "$cache/promtool" ] || [ ! -x "$cache/kubectl" ]; then
        mkdir -p "$cache"
        work=$(mktemp -d "$cache/.unfinished.XXXXXX") || return
        # The sandbox user cannot write into a private folder, and says so at length.
        (cd "$work" && timeout 600 apt-get -o APT::Sandbox::User=root -qq download kubernetes-client prometheus &&
            for name in *.deb; do dpkg-deb --fsys-tarfile "$name" | tar -x --wildcards './usr/bin/*' || exit; done &&
            mv usr/bin/kubectl usr/bin/promtool "$cache/") >&2 || { rm -rf "$work"; return 1; }
        rm -rf "$work"
    fi
    echo "$cache"
}
