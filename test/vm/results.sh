# How a suite says what came out. Sourced by fixture.sh, and by suites that run on the host.
#
# One line per test at column 0:
#     ok - SUITE: NAME        not ok - SUITE: NAME        skip - SUITE: NAME # reason
# Anything else is for the reader. The last line is suite_done's: a suite that dies before it counts as failed.
# What a suite cannot go on without goes through `must`.

set -uo pipefail
suite=$(basename "$0" .sh)
failures=0

ok() { printf 'ok - %s: %s\n' "$suite" "$1"; }

# not_ok NAME [TEXT...]: each TEXT is printed below it, indented
not_ok() {
    printf 'not ok - %s: %s\n' "$suite" "$1"
    shift
    [ $# = 0 ] || printf '%s\n' "$@" | sed 's/^/    /'
    failures=$((failures + 1))
}

skip() { printf 'skip - %s: %s # %s\n' "$suite" "$1" "$2"; }

# check NAME CMD...: ok if CMD succeeds; its output is shown only if it does not
check() {
    local name=$1 output code=0
    shift
    output=$("$@" 2>&1) || code=$?
    if [ $code = 0 ]; then ok "$name"; else not_ok "$name" "\$ $*" "$output" "exit code $code"; fi
}

# check_fails NAME PATTERN CMD...: ok if CMD fails and says something that the extended regular expression matches
check_fails() {
    local name=$1 pattern=$2 output code=0
    shift 2
    output=$("$@" 2>&1) || code=$?
    if [ $code != 0 ] && grep -qE -- "$pattern" <<<"$output"; then
        ok "$name"
    else
        not_ok "$name" "\$ $*" "$output" "exit code $code; expected a failure that says: $pattern"
    fi
}

# t_eq NAME EXPECTED ACTUAL: texts of several lines are compared line by line
t_eq() {
    if [ "$2" = "$3" ]; then
        ok "$1"
    elif [[ $2$3 == *$'\n'* ]]; then
        not_ok "$1" "$(diff -U1 --label expected --label actual <(printf '%s\n' "$2") <(printf '%s\n' "$3"))"
    else
        not_ok "$1" "expected: $2" "actual:   $3"
    fi
}

# t_match NAME PATTERN ACTUAL: an extended regular expression
t_match() { if [[ $3 =~ $2 ]]; then ok "$1"; else not_ok "$1" "expected a match of: $2" "actual: $3"; fi; }

# die TEXT: the suite cannot go on; without its closing line it counts as failed. 3 is no failed test: no further boot follows it.
die() {
    printf '%s: cannot go on: %s\n' "$suite" "$*"
    exit 3
}

must() { "$@" || die "'$*' failed ($?)"; }

# suite_done: the last line of every suite; its exit code is 1 if a test failed
suite_done() {
    echo suite-done
    [ $failures = 0 ]
    exit
}
