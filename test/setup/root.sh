# A new Debian in a folder. Sourced.

# minimal_root RELEASE FOLDER URI COMMAND…: by debootstrap, which COMMAND is; apt in it reaches the archive as this machine's does
minimal_root() {
    local release=$1 root=$2 uri=$3 file
    shift 3
    timeout -k 10 900 "$@" --variant=minbase "$release" "$root" "$uri" >"$root.log" 2>&1 ||
        { tail -5 "$root.log" >&2; rm -f "$root.log"; return 1; }
    rm -f "$root.log"
    for file in /etc/apt/apt.conf.d/99*; do
        [ ! -e "$file" ] || cp -L "$file" "$root$file"
    done
    rm -rf "$root"/var/lib/apt/lists/*
}
