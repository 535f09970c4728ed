# SPDX-License-Identifier: Apache-2.0
# What the tests of the program share: a temporary folder, numbered TAP lines, exit codes and messages. Sourced.
set -u
rvl=${RVL_BIN:?}
repo=${RVL_SOURCE_DIR:?}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
export XDG_CONFIG_HOME="$dir/config" NO_COLOR=1
n=0
failed=0

report() { # 0 is right, description
    n=$((n + 1))
    if [ "$1" = 0 ]; then
        echo "ok $n - $2"
    else
        echo "not ok $n - $2"
        failed=1
    fi
}
skip() { # description, reason
    n=$((n + 1))
    echo "ok $n - $1 # SKIP $2"
}
# The command must end with this exit code, and its two streams together must match the pattern ("" is any). What it
# printed stays in the files out and err.
want() { # exit code, description, extended regular expression, command...
    local code=$1 what=$2 pattern=$3 got
    shift 3
    "$@" > out 2> err < /dev/null
    got=$?
    if [ "$got" = "$code" ] && { [ -z "$pattern" ] || cat out err | grep -qE -- "$pattern"; }; then
        report 0 "$what"
    else
        report 1 "$what"
        echo "# exit code $got, wanted $code and /$pattern/ from: $*"
        head -c 2000 out | sed 's/^/# out: /'
        head -c 2000 err | sed 's/^/# err: /'
    fi
}
has() { # description, pattern, file
    grep -qE -- "$2" "$3"
    report $? "$1"
}
is() { # description, got, wanted
    [ "$2" = "$3" ]
    report $? "$1"
    [ "$2" = "$3" ] || echo "# got '$2', wanted '$3'"
}
absent() { # description, path
    [ ! -e "$2" ] && [ ! -L "$2" ]
    report $? "$1"
}
finish() {
    echo "1..$n"
    exit $failed
}
