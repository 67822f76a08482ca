# Sourced by the launchers of our commands, from their dist/.
#
#   find_node NAME HOME FLAGS
#
# sets $node to the Node to run on, and $node_flags to those of FLAGS that it knows. NAME is the command, for
# messages; HOME its package. Ends the shell when there is no Node, or one that is too old.

find_node() {
  launched=$1
  node=${ZEBU_NODE:-}
  # In zebu's own repository Node comes with the install; a package from npm runs on the Node that its
  # user has. It is tried: a Node for glibc is installed on Alpine too, and cannot start there.
  if [ -z "$node" ] && [ -f "$2/../../pnpm-workspace.yaml" ]; then
    for candidate in "$2/../../node_modules/.bin/node" "$2"/../../node_modules/node-linux-*/bin/node; do
      if [ -x "$candidate" ] && "$candidate" --version >/dev/null 2>&1; then
        node=$candidate
        break
      fi
    done
  fi
  if [ -z "$node" ]; then
    node=$(command -v node) || cannot_run 'there is no node on PATH'
  fi
  node_flags=$3
  # Node refuses flags that it does not know, and those come and go with V8.
  if ! version=$("$node" $node_flags --version 2>/dev/null); then
    version=$("$node" --version) || cannot_run "$node does not tell its version"
    node_flags=
    for flag in $3; do
      if "$node" "$flag" --version >/dev/null 2>&1; then
        node_flags="$node_flags $flag"
      else
        echo "$launched: goes on without $flag, which Node $version does not know" >&2
      fi
    done
  fi
  major=${version#v}
  minor=${major#*.}
  major=${major%%.*}
  minor=${minor%%.*}
  case $major$minor in
    '' | *[!0-9]*) cannot_run "$node does not tell its version" ;;
  esac
  if [ "$major" -lt 22 ] || { [ "$major" -eq 22 ] && [ "$minor" -lt 18 ]; }; then
    cannot_run "$node is $version"
  fi
}

cannot_run() {
  echo "$launched: needs Node.js 22.18 or newer, and $1" >&2
  exit 1
}
