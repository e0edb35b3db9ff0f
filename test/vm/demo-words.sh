# How the demos speak. Sourced.

if [ -n "${RAILHEAD_DEMO_COLOUR:-}" ]; then bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' plain=$'\e[0m'
else bold= dim= green= plain=; fi

n=0
# title TEXT: the next step; say TEXT: a line about it; show CMD…: the command and what it prints
title() { n=$((n + 1)); printf '\n%s%d. %s%s\n' "$bold" $n "$*" "$plain"; }
say() { printf '   %s\n' "$*"; }
show() { printf '   %s$ %s%s\n' "$dim" "$*" "$plain"; "$@" | sed 's/^/   /'; }
good() { printf '   %s%s%s\n' "$green" "$*" "$plain"; }
die() { printf 'demo: %s\n' "$*" >&2; exit 1; }

# pod_node_stop BEFORE: agent and kubelet end, on a node that dump_node says to be what it was, with no pod on record
pod_node_stop() {
    local try after
    for try in {1..30}; do
        after=$(dump_node)
        [ "$1" != "$after" ] || break
        sleep 1
    done
    if [ "$1" != "$after" ]; then
        diff -U2 --label before --label after <(printf '%s\n' "$1") <(printf '%s\n' "$after") || true
        die "the node is not as it was before"
    fi
    [ -z "$(ls /var/lib/railhead/pods)" ] || die "a record is left"
    good "no difference in $(wc -l <<<"$1") lines about PFs, VFs and RDMA devices, and no record is left"
    kill $agent
    wait $agent || die "the agent did not end cleanly"
    real_kubelet_stop
}
