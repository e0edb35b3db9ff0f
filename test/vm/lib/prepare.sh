# `vm prepare`: fetches Debian packages, unpacks them beside each other, builds the kernel modules, makes the initrd.
# Nothing is installed on this machine.  Sourced by vm.
#
# What comes of it, $cache_base/RECIPE-KERNEL/:
#   root/       laid over the host's / in the guest: kernel modules and the tools of the packages below
#   vmlinuz  initrd.gz
#   in-use.lock  held shared by every running VM, so that a newer prepare does not take the files from under it

# What differs between the Debian releases. Kernels are asked for by their meta package: the real names change with every
# security update.
case $(codename) in
    bookworm)                                        # its own 6.1 is too old for RDMA in namespaces; the security archive has 6.12
        kernel_meta=linux-image-6.12-amd64
        release_packages=(librdmacm1 libssl3) ;;
    *)                                               # trixie: 6.12
        kernel_meta=linux-image-amd64
        release_packages=(librdmacm1t64 libssl3t64 libsystemd-shared) ;;
esac
guest_packages=(
    busybox-static kmod libkmod2 udev
    ibverbs-utils ibverbs-providers libibverbs1 rdmacm-utils perftest libibumad3 libnl-3-200 libnl-route-3-200
    pciutils libpci3 pci.ids ethtool libmnl0 iputils-ping libcap2 libidn2-0
    jq libjq1 libonig5 strace libunwind8
    containernetworking-plugins
    "${release_packages[@]}"
)
boot_modules="netfs 9pnet 9pnet_virtio 9p overlay"   # what guest-init loads itself; the rest is modprobe's business

apt_options=(-o APT::Sandbox::User=root)             # the sandbox user cannot write into a private folder, and says so at length

step() { say "prepare: [$SECONDS s] $*"; }

# deps PACKAGE: the versioned linux-* packages that it depends on
deps() { apt-cache "${apt_options[@]}" depends "$1" 2>/dev/null | sed -n 's/^ *Depends: \(linux-[a-z]*-[0-9].*\)$/\1/p'; }

# The kernel release that the meta package stands for now (6.12.117+deb12-amd64); empty when apt does not know.
offered_kernel() { deps "$kernel_meta" | sed -n 's/^linux-image-//p' | head -1; }

# fetch LIST PACKAGE...: into downloads/, where files of an earlier prepare are kept and checked by apt; the file names go to LIST
fetch() {
    local list=$1 try
    shift
    for try in 1 2 3; do
        if (cd "$cache_base/downloads" && timeout 900 apt-get "${apt_options[@]}" -qq download "$@") >"$work/apt.log" 2>&1; then
            # asked for from elsewhere: files that lie in the current folder already are not named
            (cd "$work" && apt-get "${apt_options[@]}" -qq download --print-uris "$@") | awk '{ print $2 }' >"$list"
            return
        fi
        step "download failed (try $try of 3): $(tail -1 "$work/apt.log")"
        [ "$(id -u)" != 0 ] || timeout 300 apt-get -qq update || :          # most often a security update took a version away
    done
    cat "$work/apt.log" >&2
    fail "cannot download the packages of the testbed" "check the network, then run 'apt-get update' and try again"
}

# Left out when packages are unpacked: what only an installed system needs (the host's own show through from below anyway), and the
# drivers of devices that the VM cannot have, which are two thirds of the kernel package.
left_out=(./etc/init.d ./usr/share/{doc,man,lintian,bug,locale}
    {.,./usr}'/lib/modules/*/kernel/sound' {.,./usr}'/lib/modules/*/kernel/drivers/net/wireless'
    {.,./usr}'/lib/modules/*/kernel/drivers/'{bluetooth,gpu,hid,iio,input,media,mmc,mtd,platform,scsi,staging,usb})

# unpack DEB FOLDER: keeps the merged-/usr symlinks (bin -> usr/bin), which dpkg-deb -x would replace by folders
unpack() {
    dpkg-deb --fsys-tarfile "$1" | tar -x --keep-directory-symlink --anchored --wildcards "${left_out[@]/#/--exclude=}" -C "$2"
}

# build_modules KERNEL: each folder of modules/ becomes root/usr/lib/modules/KERNEL/extra/*.ko
#   modules/X/Kbuild, *.c      a module of our own, or
#   modules/X/linux-source     the folder of Debian's kernel source that has X, and the options (=m) that Debian leaves off; on further
#                              lines other files that it needs
#   modules/X/*.patch          applied to it (-p1, from the top of the kernel source)
build_modules() {
    local kernel=$1 headers=$work/headers source=$work/source extra=$work/root/usr/lib/modules/$1/extra
    local tree=$headers/usr/src/linux-headers-$kernel m f name folder folders options log

    mkdir -p "$headers" "$source" "$extra"
    while read -r m; do dpkg-deb -x "$cache_base/downloads/$m" "$headers"; done <"$work/headers.list"
    sed -i "s#/usr/src#$headers/usr/src#" "$tree/Makefile"
    rm -f "$tree/vmlinux"                            # without it kbuild leaves BTF out and does not ask for pahole

    folders=$(awk -v top="linux-source-$series/" '{ print top $1 }' "$vm_dir"/modules/*/linux-source)
    dpkg-deb --fsys-tarfile "$cache_base/downloads/$(cat "$work/source.list")" |
        tar -xO "./usr/src/linux-source-$series.tar.xz" | xz -dc -T0 |
        tar -x --strip-components=1 -C "$source" $folders
    for m in "$vm_dir"/modules/*/; do
        m=${m%/} name=${m%/} name=${name##*/} log=$work/$name.log
        if [ -e "$m/linux-source" ]; then
            read -r folder options <"$m/linux-source"
            folder=$source/$folder
            for f in "$m"/*.patch; do
                [ ! -e "$f" ] || patch -s -p1 -d "$source" <"$f" >&2 ||
                    fail "$f does not fit the source of kernel $kernel" "bring the patch up to date with that kernel"
            done
        else
            folder=$source/$name options=
            cp -r "$m" "$folder"
        fi
        make -C "$tree" M="$folder" $options -j"$(nproc)" modules >"$log" 2>&1 || {
            tail -40 "$log" >&2
            fail "building the kernel module $name for $kernel failed (above)"
        }
        for f in "$folder"/*.ko; do strip -g "$f" -o "$extra/${f##*/}"; done
        step "built the kernel module $name"
    done
}

make_initrd() {
    local kernel=$1 tree=$work/initrd m f
    mkdir -p "$tree"/{bin,modules,proc,sys,dev,host,extra,changes,root}
    cp "$work/root/bin/busybox" "$tree/bin/"
    cp "$vm_dir/lib/guest-init" "$tree/init"
    chmod 755 "$tree/init"
    for m in $boot_modules; do
        f=$(find "$work/root/usr/lib/modules/$kernel/kernel" -name "$m.ko*")
        case $f in
            '') ;;                                   # built in
            *.xz) xz -dc "$f" >"$tree/modules/$m.ko" ;;
            *) cp "$f" "$tree/modules/$m.ko" ;;
        esac
    done
    (cd "$tree" && find . | bin/busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$work/initrd.gz"
}

prepare_locked() {
    local kernel compiler version series target deb d f
    need_program apt-get apt-cache dpkg-deb make strip patch xz qemu-system-x86_64
    [ "$(dpkg --print-architecture)" = amd64 ] || fail "the testbed is for amd64 machines"
    kernel=$(offered_kernel)
    target=$(prepared_testbed)
    if [ -n "$target" ] && { [ -z "$kernel" ] || [ "${target##*/}" = "$(recipe_hash)-$kernel" ]; }; then
        say "prepare: up to date ($target)"
        return
    fi
    if [ -z "$kernel" ] && [ "$(id -u)" = 0 ]; then
        step "apt knows no $kernel_meta: updating its lists"
        timeout 300 apt-get -qq update || :
        kernel=$(offered_kernel)
    fi
    [ -n "$kernel" ] || fail "apt knows no package $kernel_meta" "run 'apt-get update'; on Debian 12 the security archive must be among the sources"
    series=$(cut -d. -f1,2 <<<"$kernel")
    version=$(apt-cache "${apt_options[@]}" show --no-all-versions "linux-image-$kernel" | sed -n 's/^Version: //p')
    compiler=$(apt-cache "${apt_options[@]}" depends "linux-headers-$kernel" | sed -n 's/^ *Depends: \(gcc-[0-9]*\).*/\1/p' | head -1)
    need_program "${compiler:-gcc}"

    mkdir -p "$cache_base/downloads"
    rm -rf "$cache_base"/.unfinished.*               # left by a prepare that was interrupted: the lock says nobody works on it
    work=$(mktemp -d "$cache_base/.unfinished.XXXXXX")
    mkdir -p "$work"/root/usr/{bin,sbin,lib,lib64}
    for d in bin sbin lib lib64; do ln -s "usr/$d" "$work/root/$d"; done

    step "downloading kernel $kernel, its headers and source, and ${#guest_packages[@]} packages (up to 300 MB)"
    fetch "$work/root.list" "linux-image-$kernel" $(deps "linux-image-$kernel") "${guest_packages[@]}"
    fetch "$work/headers.list" "linux-headers-$kernel" $(deps "linux-headers-$kernel" | grep -v '^linux-image-')
    fetch "$work/source.list" "linux-source-$series=$version"

    step "unpacking"
    while read -r deb; do unpack "$cache_base/downloads/$deb" "$work/root"; done <"$work/root.list"
    for f in "$work/root/boot/vmlinuz-$kernel" "$work/root/usr/lib/modules/$kernel/vmlinuz"; do
        [ ! -e "$f" ] || mv "$f" "$work/vmlinuz"
    done
    [ -s "$work/vmlinuz" ] || fail "no kernel image in the packages of $kernel_meta: its layout changed" "adapt test/vm/lib/prepare.sh"
    build_modules "$kernel"
    step "module index and initrd"
    # by name, because the package's symlink depmod -> kmod is absolute
    (export LD_LIBRARY_PATH="$work/root/usr/lib/x86_64-linux-gnu" && exec -a depmod "$work/root/bin/kmod" -b "$work/root" "$kernel")
    make_initrd "$kernel"

    rm -rf "$work/root/boot"
    cat "$work"/{root,headers,source}.list | sort -u >"$work/packages"
    for f in "$cache_base"/downloads/*; do grep -qxF "${f##*/}" "$work/packages" || rm -f "$f"; done
    rm -rf "$work"/{headers,source,initrd,apt.log,*.list,*.log}
    : >"$work/in-use.lock"
    target=$cache_base/$(recipe_hash)-$kernel
    rm -rf "$target"
    chmod 755 "$work"
    mv "$work" "$target"                             # from here on it counts
    work=
    # Other checkouts may have other recipes: the three testbeds used last stay, and those that a VM runs on.
    ls -td "$cache_base"/*-*/in-use.lock | tail -n +4 | while read -r f; do
        flock -n "$f" rm -rf "${f%/*}" || :
    done
    step "done: $target"
}

# prepare: one at a time; what an interrupted one left is never taken for whole
prepare() {
    SECONDS=0
    mkdir -p "$cache_base"
    exec 9>"$cache_base/prepare.lock"
    flock -n 9 || {
        say "prepare: another one is at work, waiting for it"
        flock -w 1800 9 || fail "the other prepare did not end within 30 minutes"
    }
    work=
    trap '[ -z "$work" ] || rm -rf "$work"' EXIT
    trap 'exit 130' INT TERM HUP
    prepare_locked
}
