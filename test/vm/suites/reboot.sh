#!/bin/bash
# What a suite with several boots has: folders that stay, also over a crash, and all else new.
# boots: 2
. "$(dirname "$0")/../fixture.sh"

persist /var/lib/kept /var/lib/also-kept
kept=/var/lib/kept
boot_id=$(cat /proc/sys/kernel/random/boot_id)

if [ "$RAILHEAD_BOOT" = 1 ]; then
    section the first boot
    t_eq "the disk has nothing of an earlier run" "lost+found var" "$(ls -A /persist | xargs)"
    echo "$boot_id" >$kept/boot-id
    echo written >$kept/synced
    echo written >/var/lib/also-kept/synced
    check "a lock of each kind can be had on one file" flock $kept/synced true
    must sync
    echo written >$kept/not-synced
    touch /run/of-the-first-boot
    check "what was not synced is seen before the crash" grep -qx written $kept/not-synced
    suite_crash
fi

section "the second boot"
t_eq "what was synced is there" written "$(cat $kept/synced)"
t_eq "in each folder" written "$(cat /var/lib/also-kept/synced)"
t_eq "what was not is lost" "" "$(cat $kept/not-synced 2>/dev/null)"
t_match "the boot id is told" '^[0-9a-f-]{36}$' "$boot_id"
check "and is another one" test "$(cat $kept/boot-id)" != "$boot_id"
check "/run is new" test ! -e /run/of-the-first-boot
suite_done
