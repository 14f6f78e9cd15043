#!/bin/sh
# Entry point of the Redis image: takes the same arguments as the official one.
set -eu

if [ "$(id -u)" = 0 ]; then
  echo "entrypoint: runs as root: start it as uid 999 (runAsUser: 999)" >&2
  exit 1
fi
case ${1:-} in
  redis-server) shift ;;
  '' | -* | *.conf) ;;
  *) exec "$@" ;;
esac
umask 0077
# A file of settings must stay the first argument.
case ${1:-} in
  *.conf) exec redis-server "$@" ;;
esac
# As in the official image: who may connect is for the network policy and a password to say.
exec redis-server --protected-mode no "$@"
