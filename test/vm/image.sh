# Images of one program with its libraries, made on the spot: there is no registry. Sourced.

# image_archive FOLDER NAME PROGRAM PATH-IN-IMAGE: makes FOLDER/image.tar, as `docker save` writes it
image_archive() {
    local folder=$1 name=$2 program=$3 path=$4 layer applet library
    rm -rf "$folder"
    mkdir -p "$folder/root/$(dirname "$path")"
    cp "$program" "$folder/root/$path"
    [ "$path" != bin/busybox ] || for applet in sh sleep stat env; do ln -s busybox "$folder/root/bin/$applet"; done
    for library in $(ldd "$program" 2>/dev/null | grep -o '/[^ ]*'); do
        mkdir -p "$folder/root/${library%/*}"
        cp -L "$library" "$folder/root/$library"
    done
    tar -cf "$folder/layer.tar" -C "$folder/root" .
    layer=$(sha256sum "$folder/layer.tar")
    printf '{"architecture":"amd64","os":"linux","config":{"Cmd":["/%s"],"Env":["PATH=/bin:/usr/bin"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
        "$path" "${layer%% *}" >"$folder/config.json"
    printf '[{"Config":"config.json","RepoTags":["%s"],"Layers":["layer.tar"]}]' "$name" >"$folder/manifest.json"
    tar -cf "$folder/image.tar" -C "$folder" manifest.json config.json layer.tar
}
