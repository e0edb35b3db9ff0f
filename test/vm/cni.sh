# Calls the CNI binary as a container runtime does. Sourced; needs $RAILHEAD_BIN.

cni_path=$RAILHEAD_BIN:/usr/lib/cni
cni_version=1.0.0

# cni_conf NETWORK BDF [EXTRA]: a network configuration; EXTRA is more of its members, as JSON text
cni_conf() {
    printf '{"cniVersion":"%s","name":"%s","type":"railhead","deviceID":"%s"%s}' \
        "$cni_version" "$1" "$2" "${3:+,$3}"
}

# cni VERB CONTAINER NETNS IFNAME CONF: NETNS is a name below /run/netns, or '' for none; the
# result or the error is on standard output
cni() {
    CNI_COMMAND=$1 CNI_CONTAINERID=$2 CNI_NETNS=${3:+/run/netns/$3} CNI_IFNAME=$4 \
        CNI_PATH=$cni_path CNI_ARGS= "$RAILHEAD_BIN/railhead" <<<"$5"
}
