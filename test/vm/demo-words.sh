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
