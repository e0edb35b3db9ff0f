# The kubelet stand-in and the agent under test. Sourced; needs $RAILHEAD_BIN, jq, and a function
# `die TEXT`.

# kubelet_start DIR [MODE]: starts the stand-in on DIR; MODE is registry or legacy
kubelet_start() {
    mkdir -p "$1/device-plugins"
    [ "${2:-registry}" != registry ] || mkdir -p "$1/plugins_registry"
    coproc KUBELET { exec "$RAILHEAD_BIN/fake-kubelet" --dir "$1" --mode "${2:-registry}"; }
    # A coprocess' own descriptors are closed in subshells; copies are not.
    exec {kubelet_answers}<&"${KUBELET[0]}" {kubelet_commands}>&"${KUBELET[1]}"
}

# kubelet_ask COMMAND…: the stand-in's answer, one line of JSON, in REPLY
kubelet_ask() {
    printf '%s\n' "$*" >&"$kubelet_commands"
    read -r -t 600 <&"$kubelet_answers" || die "the kubelet stand-in does not answer '$*'"
}

# kubelet COMMAND…: prints the answer; fails when it is an error
kubelet() {
    kubelet_ask "$@"
    printf '%s\n' "$REPLY"
    [[ $REPLY != '{"error"'* ]]
}

# agent_start CONFIG KUBELET-DIR DEVINFO-DIR LOG [OPTION…]: the agent in the background, its pid in $agent
agent_start() {
    "$RAILHEAD_BIN/railhead-agent" --config-file "$1" --kubelet-dir "$2" --devinfo-dir "$3" "${@:5}" \
        >"$4" 2>&1 &
    agent=$!
    sleep .2
    kill -0 $agent 2>/dev/null || die "the agent ended at once: $(tail -3 "$4")"
}

# kubelet_lists RESOURCE: how many lists of its devices kubelet has had, ever
kubelet_lists() { kubelet lists "$1" | jq '.lists // 0'; }

# listed_since RESOURCE N: whether it has had more than N of them. What an agent before this one listed stays known, so that a wait
# for a number of devices says nothing of the new one.
listed_since() { [ "$(kubelet_lists "$1")" -gt "$2" ]; }

# knows RESOURCE N: whether kubelet knows N devices of it, healthy or not
knows() { [ "$(kubelet resources | jq --arg r "$1" '.[$r] | length')" = "$2" ]; }

# let_agent_look: before a check that something stays as it is. An event has its update some 100 ms later.
let_agent_look() { sleep 3; }
