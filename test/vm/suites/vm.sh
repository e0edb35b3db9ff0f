#!/bin/bash
# What `vm run` and `run-suites` promise to those who call them.
# runs-on: host
# alone: it has two VMs run at once itself
vm_dir=$(cd "$(dirname "$0")/.." && pwd)
. "$vm_dir/results.sh"
folder=$(mktemp -d "${TMPDIR:-/tmp}/railhead-vm-suite.XXXXXX")
trap 'rm -rf "$folder"' EXIT
export TMPDIR=$folder        # the logs of VMs that fail here on purpose go with it

# vm_run ARGS...: leaves $code, $out and $err
vm_run() {
    code=0
    "$vm_dir/vm" run "$@" >"$folder/out" 2>"$folder/err" || code=$?
    out=$(cat "$folder/out") err=$(cat "$folder/err")
}

mkdir "$folder/a share, of sorts"
RAILHEAD_PASSED_ON="a 'b'" vm_run --share "$folder/a share, of sorts" -- bash -c 'echo "to stdout
and $RAILHEAD_PASSED_ON, in $PWD"
echo written >"$RAILHEAD_SHARE/file"
echo dropped >>"$1/file-of-the-host" || exit 9
exit 7' - "$folder"
t_eq "the command's exit code is passed on" 7 "$code"
t_eq "its output, quoting, environment and directory too" "to stdout
and a 'b', in $PWD" "$out"
t_eq "nothing else is said" "" "$(grep -v 'no sign of life' <<<"$err")"
t_eq "the guest writes to the shared folder" written "$(cat "$folder/a share, of sorts/file" 2>&1)"
check "the guest's other changes are dropped" test ! -e "$folder/file-of-the-host"

vm_run --timeout 15 -- sleep 100
t_eq "a command that takes too long ends with 124" 124 "$code"
t_match "and it is said why" "no end within 15 s" "$err"

vm_run -- bash -c 'echo c >/proc/sysrq-trigger; sleep 10'
t_eq "a guest that panics ends with 125" 125 "$code"
t_match "and the kernel's last words are shown" "sysrq triggered crash" "$err"

"$vm_dir/vm" run -- sleep 250 & first=$!
"$vm_dir/vm" run -- bash -c 'exit 5' & second=$!
code=0
wait $second || code=$?
t_eq "two VMs run at once" 5 "$code"
kill $first
wait $first
t_eq "a VM that is told to end does so" 130 $?
t_eq "and leaves no folder behind but the failed one's" 1 "$(find "$folder" -maxdepth 1 -name 'railhead-vm.*' | wc -l)"

# a copy of the testbed with suites of its own; its recipe is the same, so is its cache
cp -r "$vm_dir" "$folder/vm"
rm "$folder"/vm/suites/*
printf '. "$(dirname "$0")/../fixture.sh"\nok one\nnot_ok two because\nskip three "no reason"\nsuite_done\n' >"$folder/vm/suites/speaks.sh"
printf '. "$(dirname "$0")/../fixture.sh"\nok one\nmust false\nsuite_done\n' >"$folder/vm/suites/dies.sh"
# without a VM, which makes no difference to how often a suite is run; reboot.sh has one
again='# runs-on: host\n# boots: 2\n. "$(dirname "$0")/../results.sh"\nif [ $RAILHEAD_BOOT = 1 ]; then'
printf "$again"' echo kept >$RAILHEAD_SHARE/file; not_ok one; suite_done; fi\nt_eq two kept "$(cat $RAILHEAD_SHARE/file)"\nsuite_done\n' \
    >"$folder/vm/suites/twice.sh"
printf "$again"' ok one; else die; fi\nsuite_done\n' >"$folder/vm/suites/dies-later.sh"
printf "$again"' die; fi\nok two\nsuite_done\n' >"$folder/vm/suites/dies-at-once.sh"
code=0
out=$("$folder/vm/run-suites" 2>&1) || code=$?
t_eq "a failing suite is exit code 1" 1 $code
t_eq "run-suites passes the results on of all boots, and counts a suite that died" "not ok - dies-at-once: ended early
not ok - dies-later: ended early
not ok - dies: ended early
not ok - speaks: two
not ok - twice: one
ok - dies-later: one
ok - dies: one
ok - speaks: one
ok - twice: two
skip - speaks: three # no reason" "$(grep -E '^(ok|not ok|skip) - ' <<<"$out" | LC_ALL=C sort)"
t_eq "it says in which boot" "exit code 3 after 0 of 2 boots, exit code 3 after 1 of 2 boots" \
    "$(grep -o 'exit code .* boots$' <<<"$out" | sort | paste -sd, | sed 's/,/, /')"
t_match "its last line is the sum" "4 passed, 5 failed, 1 skipped" "$(tail -1 <<<"$out")"

suite_done
