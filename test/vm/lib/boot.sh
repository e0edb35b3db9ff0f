# `vm run`: boots the guest and runs one command in it.  Sourced by vm.

boot_seconds=90                                      # a boot takes 3-10 s; about one in two hundred hangs early without a word
boot_tries=3

# From 2816 MB on q35 puts memory above 4 GB, and then the firmware puts the PCI windows there too. Of a VF's address QEMU's igb keeps
# the lower half only: its registers answer nothing, and igbvf says "PF still in reset state" and makes a MAC up.
most_memory_mb=2800

# The machine.  Plain emulation (TCG): no KVM is needed, and where nested virtualisation pretends to be there it is not used.
#   node 0: root port 20:00 - switch 21:00 - port 22:00 - nic0 23:00.0
#                                          - port 22:01 - gpu0 24:00.0
#           root port 20:01 - gpu1 25:00.0
#   node 1: root port 40:00 - nic1 41:00.0
#           root port 40:01 - gpu2 42:00.0
#   further NICs, where asked for: pf2 to pf4 26:00.0 to 28:00.0 on node 0, pf5 to pf7 43:00.0 to 45:00.0 on node 1, a root port each
# All NICs (igb, 7 VFs each) are on one wire. The "GPUs" are devices of other kinds: QEMU has none of class 0302.
machine_options() {
    local half=$((memory_mb / 2)) i
    qemu=(
        -accel tcg,thread=$threads -cpu max -smp 2,sockets=2,cores=1 -m "$memory_mb"
        -nodefaults -no-user-config -display none -no-reboot
        -machine q35,usb=off,smbus=off,sata=off,graphics=off -device intel-iommu,intremap=on
        -object "memory-backend-ram,id=m0,size=${half}M" -numa node,nodeid=0,cpus=0,memdev=m0
        -object "memory-backend-ram,id=m1,size=${half}M" -numa node,nodeid=1,cpus=1,memdev=m1

        # no_timer_check: under emulation the kernel's timer test now and then fails and panics.
        # net.ifnames=0: the kernel's names; the fixture renames by PCI address.
        -kernel "$testbed/vmlinuz" -initrd "$testbed/initrd.gz"
        -append "console=ttyS0 quiet no_timer_check panic=-1 mitigations=off nokaslr audit=0 nowatchdog random.trust_cpu=1 intel_iommu=on net.ifnames=0 $append"

        # the kernel speaks to a file, the command to standard output; QEMU's monitor is a port in the guest named "qmp"
        -serial "file:$control/console.log"
        -device virtio-serial-pci -chardev stdio,id=out,signal=off -device virtconsole,chardev=out
        -chardev "socket,id=monitor,path=$run_dir/qmp,server=on,wait=off" -mon chardev=monitor,mode=control
        -chardev "socket,id=qmp,path=$run_dir/qmp" -device virtserialport,chardev=qmp,name=qmp

        -fsdev local,id=host,path=/,security_model=none,readonly=on,multidevs=remap -device virtio-9p-pci,fsdev=host,mount_tag=host
        -fsdev "local,id=extra,path=$testbed/root,security_model=none,readonly=on" -device virtio-9p-pci,fsdev=extra,mount_tag=extra
        -fsdev "local,id=control,path=$control,security_model=none" -device virtio-9p-pci,fsdev=control,mount_tag=control

        -device pxb-pcie,id=pxb0,bus=pcie.0,bus_nr=32,numa_node=0 -device pxb-pcie,id=pxb1,bus=pcie.0,bus_nr=64,numa_node=1
        -device pcie-root-port,id=rp0,bus=pxb0,chassis=1,slot=1 -device pcie-root-port,id=rp1,bus=pxb0,chassis=2,slot=2
        -device pcie-root-port,id=rp2,bus=pxb1,chassis=3,slot=3 -device pcie-root-port,id=rp3,bus=pxb1,chassis=4,slot=4
        -device x3130-upstream,id=sw0,bus=rp0
        -device xio3130-downstream,id=ds0,bus=sw0,chassis=5,slot=5 -device xio3130-downstream,id=ds1,bus=sw0,chassis=6,slot=6
        -netdev hubport,id=n0,hubid=0 -device igb,id=nic0,bus=ds0,netdev=n0,mac=52:54:00:00:00:10,romfile=
        -netdev hubport,id=n1,hubid=0 -device igb,id=nic1,bus=rp2,netdev=n1,mac=52:54:00:00:01:10,romfile=
        -device edu,id=gpu0,bus=ds1 -device bochs-display,id=gpu1,bus=rp1 -device edu,id=gpu2,bus=rp3
    )
    for ((i = 2; i < pfs; i++)); do
        qemu+=(
            -device "pcie-root-port,id=rq$i,bus=pxb$((i / 5)),chassis=1$i,slot=1$i"
            -netdev "hubport,id=n$i,hubid=0" -device "igb,id=nic$i,bus=rq$i,netdev=n$i,mac=52:54:00:00:0$i:10,romfile="
        )
    done
    # a NIC of another kind, from which the guest reaches this machine's loopback as 10.0.2.2
    [ -z "$beside" ] || qemu+=(-netdev user,id=lan -device virtio-net-pci,bus=pcie.0,netdev=lan,romfile=)
    if [ -n "$share" ]; then
        qemu+=(-fsdev "local,id=share,path=${share//,/,,},security_model=none" -device virtio-9p-pci,bus=pcie.0,fsdev=share,mount_tag=share)
    fi
}

# write_start CMD...: the script that the guest starts once its root is there
write_start() {
    local name
    {
        echo ': >/run/vm/up'
        echo 'export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C RAILHEAD_VM=1'
        for name in ${!RAILHEAD_*}; do
            case $name in RAILHEAD_SHARE | RAILHEAD_CACHE) ;; *) printf 'export %s=%q\n' "$name" "${!name}" ;; esac
        done
        [ -z "$share" ] || printf 'export RAILHEAD_SHARE=%q\n' "$share"
        echo 'ip link set lo up; hostname testbed'
        echo 'exec </dev/null >/dev/hvc0 2>&1; stty -F /dev/hvc0 raw -echo'
        printf '( cd %q && ' "$PWD"
        printf '%q ' "$@"
        printf ')\necho $? >/run/vm/exit-code; sync; /bin/busybox poweroff -f\n'
    } >"$control/start"
}

# end_vm: ends our QEMU, if it runs, and waits for it. timeout(1) passes the signal on.
end_vm() {
    [ -n "$vm_pid" ] || return 0
    kill "$vm_pid" 2>/dev/null || :
    wait "$vm_pid" 2>/dev/null || :
    vm_pid=
}

clean_up() {
    end_vm
    [ -z "$beside_pid" ] || { kill "$beside_pid" && wait "$beside_pid"; } 2>/dev/null || :
    [ -z "$run_dir" ] || [ -n "$keep" ] || rm -rf "$run_dir"
}

# vm_failed REASON ADVICE: says what the kernel and QEMU said last, and keeps their logs
vm_failed() {
    keep=1
    grep -v 'is not connected to host network' "$control/qemu.log" >&2 || :      # QEMU's remark on our closed wire
    [ ! -s "$control/console.log" ] || {
        echo "--- the guest's kernel said last:"
        grep -E 'panic|BUG|Oops|Out of memory|invoked oom' "$control/console.log" | head -5 || :
        echo ...
        tail -n 10 "$control/console.log"
    } >&2
    fail "$@" "the logs are in $control"
}

# boot_and_run CMD...: needs timeout_s, memory_mb, share, append, pfs, beside and threads
boot_and_run() {
    local rc try i
    qemu-system-x86_64 -device igb,help >/dev/null 2>&1 ||
        fail "this machine's QEMU has no igb NIC (8.0 or later is needed)" "run './dev setup', which installs QEMU from backports"
    run_dir=$(mktemp -d "${TMPDIR:-/tmp}/railhead-vm.XXXXXX") control=$run_dir/control keep= vm_pid= beside_pid=
    trap clean_up EXIT
    trap 'exit 130' INT TERM HUP
    mkdir "$control"
    printf '%s\n' "$share" >"$control/share"
    [ -n "$share" ] || : >"$control/share"
    write_start "$@"
    machine_options
    if [ -n "$beside" ]; then
        mkdir "$control/beside"
        "$vm_dir/$beside" "$control/beside" </dev/null >&2 & beside_pid=$!
    fi
    [ ! -t 2 ] || say "booting the VM (5 to 15 s)"           # for who waits; a program that reads us wants the reason of a failure
    for ((try = 1; ; try++)); do
        rm -f "$control"/{up,exit-code}
        timeout -k 5 "$timeout_s" qemu-system-x86_64 "${qemu[@]}" </dev/null 2>"$control/qemu.log" &
        vm_pid=$! rc=0
        for ((i = 0; i < boot_seconds * 5; i++)); do
            [ ! -e "$control/up" ] && kill -0 "$vm_pid" 2>/dev/null || break
            sleep .2
        done
        if [ -e "$control/up" ] || ! kill -0 "$vm_pid" 2>/dev/null; then
            wait "$vm_pid" || rc=$?
            vm_pid=
            break
        fi
        end_vm
        [ "$try" -lt "$boot_tries" ] || vm_failed "the guest showed no sign of life within $boot_seconds s in $boot_tries tries" \
            "is this machine overloaded? if not, look at the kernel's last lines above"
        say "no sign of life within $boot_seconds s, booting again (try $((try + 1)) of $boot_tries)"
    done
    if [ "$rc" = 124 ] || [ "$rc" = 137 ]; then
        say "no end within $timeout_s s: the VM was stopped (--timeout sets the limit)"
        exit 124
    fi
    [ "$rc" = 0 ] || vm_failed "QEMU ended with code $rc"
    [ -s "$control/exit-code" ] || vm_failed "the guest went down before the command's end (a kernel panic, or out of memory?)" \
        "--memory MB gives it more than $memory_mb MB"
    exit "$(cat "$control/exit-code")"
}
