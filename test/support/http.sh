# HTTP without a client program. Sourced; the server is 127.0.0.1:$port.

# get PATH: the body; fails when the status is not 200
get() {
    local status line server
    exec {server}<>"/dev/tcp/127.0.0.1/$port" || return
    printf 'GET %s HTTP/1.1\r\nHost: node\r\n\r\n' "$1" >&$server
    read -r -t 10 _ status _ <&$server
    while read -r -t 10 line <&$server && [ "$line" != $'\r' ]; do :; done
    cat <&$server
    exec {server}>&-
    [ "$status" = 200 ]
}
