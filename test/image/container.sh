# Containers of the image without a runtime: roots with what the Dockerfile's last stage has, by way of the libraries that are here, and mounts of
# the node's folders. Sourced; needs $bin, the folder of programs, $work, an own one, and $node, where the node's root is.

image_files=$(dirname "$(realpath "${BASH_SOURCE[0]}")")/../../image
image_tools=(/bin/sh /bin/mkdir /bin/chmod /bin/cp /bin/mv /bin/rm /bin/sleep /bin/cat)

# make_image FOLDER
make_image() {
    local program library
    mkdir -p "$1"/{usr/bin,proc,sys,dev,tmp,etc}
    ln -s usr/bin "$1/bin"
    : >"$1/dev/null"
    mount --bind /dev/null "$1/dev/null"             # a node of its own would be none where devices are not allowed
    cp -rP "$image_files"/* "$1/"
    cp "$bin/railhead" "$bin/railhead-agent" "${image_tools[@]}" "$1/usr/bin/"
    for program in "$bin/railhead-agent" "${image_tools[@]}"; do
        ldd "$program" | grep -oE '/[^ ]+' | while read -r library; do
            mkdir -p "$1$(dirname "$library")"
            cp -nL "$library" "$1$library"
        done
    done
}
# container NAME MOUNT...: prints the root of a new container; a MOUNT is FOLDER[:ro] of the node, seen at the same path, or FOLDER=PATH[:ro]
container() {
    local root=$work/$1 mount from to
    make_image "$root"
    mount -t proc proc "$root/proc"
    mount --rbind /sys "$root/sys"
    for mount in "${@:2}"; do
        from=${mount%%=*} from=${from%:ro} to=${mount##*=} to=${to%:ro}
        mkdir -p "$node$from" "$root$to"
        mount --bind "$node$from" "$root$to"
        [ "$mount" = "${mount%:ro}" ] || mount -o remount,bind,ro "$root$to"
    done
    echo "$root"
}
