#!/usr/bin/env bash
# Entry point of the PostgreSQL and TimescaleDB images: takes the environment of the official images.
#
# A first start is built in "$PGDATA/.initialising" and moved up entry by entry, PG_VERSION last.
# PG_VERSION in PGDATA therefore means a complete database, and a first start that was killed at any
# moment before is thrown away and begun again. PGDATA may be a mount point: nothing leaves it.
set -euo pipefail
shopt -s nullglob dotglob

readonly SYSTEM_SCRIPTS=/usr/local/share/database/initdb.d
readonly USER_SCRIPTS=/docker-entrypoint-initdb.d
readonly OWNER=70

log() { printf '%s [entrypoint] %s\n' "$(date -u '+%Y-%m-%d %H:%M:%S UTC')" "$*"; }

die() {
  printf 'entrypoint: %s\n' "$*" >&2
  exit 1
}

# NAME from the environment, or the content of the file that NAME_FILE names.
read_setting() {
  local name=$1 default=${2:-} file_name="$1_FILE"
  local value=${!name:-} file=${!file_name:-}
  [[ -z $value || -z $file ]] || die "$name and $file_name are both set: set one of them"
  if [[ -n $file ]]; then
    [[ -r $file ]] || die "$file_name: $file cannot be read: mount the secret, readable for uid $OWNER"
    value=$(<"$file")
    # The services read the same secret and strip the same line ends.
    while [[ $value == *[$'\r\n'] ]]; do value=${value%?}; done
  fi
  [[ $value != *[[:cntrl:]]* ]] \
    || die "$name holds a control character, e.g. a line break: write it in one line"
  printf -v "$name" '%s' "${value:-$default}"
  unset "$file_name"
}

read_settings() {
  read_setting POSTGRES_PASSWORD
  read_setting POSTGRES_USER postgres
  read_setting POSTGRES_DB "$POSTGRES_USER"
  read_setting POSTGRES_INITDB_ARGS
  : "${POSTGRES_HOST_AUTH_METHOD:=scram-sha-256}"
  [[ -z ${POSTGRES_INITDB_WALDIR:-} ]] || die "POSTGRES_INITDB_WALDIR is not supported: unset it"
  [[ -n $POSTGRES_PASSWORD || $POSTGRES_HOST_AUTH_METHOD == trust ]] \
    || die "POSTGRES_PASSWORD_FILE or POSTGRES_PASSWORD is needed for the first start"
}

check_owner() {
  [[ $(id -u) -ne 0 ]] || die "runs as root: start it as uid $OWNER (runAsUser: $OWNER)"
  mkdir -p "$PGDATA" || die "PGDATA: $PGDATA cannot be made: let uid $OWNER write there"
  [[ -O $PGDATA ]] || die "PGDATA: $PGDATA belongs to uid $(stat -c %u "$PGDATA"), not to $(id -u):" \
    "name a folder inside the volume"
  chmod 0700 "$PGDATA" # the server insists
}

# Fails where PGDATA holds what this script did not make: it never deletes a stranger's files.
check_nothing_else() {
  local entry
  for entry in "$PGDATA"/*; do
    [[ ${entry##*/} == lost+found ]] \
      || die "PGDATA: $PGDATA has no PG_VERSION but holds ${entry##*/}: empty it or choose another"
  done
}

discard_interrupted_start() {
  local entry
  log "an interrupted first start is thrown away"
  for entry in "$PGDATA"/*; do
    case ${entry##*/} in
      .initialising | lost+found) ;;
      *) rm -rf -- "$entry" ;;
    esac
  done
  # The mark goes last: killed in between, the next start still knows whose files these are.
  rm -rf -- "$PGDATA/.initialising"
}

create_cluster() {
  local staging=$1 arguments=()
  read -r -a arguments <<<"$POSTGRES_INITDB_ARGS"
  if [[ -n $POSTGRES_PASSWORD ]]; then arguments+=(--pwfile=/dev/stdin); fi
  mkdir -m 0700 "$PGDATA/.initialising"
  printf '%s\n' "$POSTGRES_PASSWORD" | initdb -D "$staging" --username="$POSTGRES_USER" \
    --auth-local=trust --auth-host=scram-sha-256 --data-checksums --encoding=UTF8 \
    --locale-provider=builtin --locale=C.UTF-8 "${arguments[@]}"
  printf '%s\n' "host all all all $POSTGRES_HOST_AUTH_METHOD" \
    "host replication all all $POSTGRES_HOST_AUTH_METHOD" >>"$staging/pg_hba.conf"
}

# On its usual socket only, whatever the arguments say: nobody outside sees a half-made database.
start_private_server() {
  local staging=$1
  shift
  set -- "$@" -c listen_addresses= -c port="${PGPORT:-5432}" \
    -c unix_socket_directories=/var/run/postgresql
  pg_ctl -D "$staging" -w -t 120 -o "$(printf '%q ' "$@")" start
}

run_sql() {
  psql -v ON_ERROR_STOP=1 --no-psqlrc --no-password --username "$POSTGRES_USER" "$@"
}

create_database() {
  [[ $POSTGRES_DB == postgres ]] && return
  # shellcheck disable=SC2016 # :"db" is a psql variable
  printf 'CREATE DATABASE :"db";\n' | run_sql --dbname postgres -v db="$POSTGRES_DB"
}

run_script() {
  local script=$1
  log "running $script"
  case $script in
    *.sh)
      # As in the official images: an executable one is run, any other is read into this shell.
      # shellcheck disable=SC1090
      if [[ -x $script ]]; then "$script"; else . "$script"; fi
      ;;
    *.sql) run_sql --dbname "$POSTGRES_DB" -f "$script" ;;
    *.sql.gz) gunzip -c "$script" | run_sql --dbname "$POSTGRES_DB" ;;
    *) log "ignoring $script" ;;
  esac
}

run_scripts() {
  local script
  for script in "$SYSTEM_SCRIPTS"/*.sql; do
    run_sql --dbname template1 -f "$script"
    [[ $POSTGRES_DB != postgres ]] || run_sql --dbname postgres -f "$script"
  done
  create_database
  # A ConfigMap volume holds its bookkeeping in entries that begin with two dots.
  for script in "$USER_SCRIPTS"/[!.]*; do
    run_script "$script"
  done
}

publish_cluster() {
  local staging=$1 entry
  for entry in "$staging"/*; do
    [[ ${entry##*/} == PG_VERSION ]] || mv -- "$entry" "$PGDATA/"
  done
  sync -f "$PGDATA"
  mv -- "$staging/PG_VERSION" "$PGDATA/"
  rm -rf -- "$PGDATA/.initialising"
  sync -f "$PGDATA"
}

initialise() {
  local target=$PGDATA staging=$PGDATA/.initialising/data
  read_settings
  if [[ -d $PGDATA/.initialising ]]; then discard_interrupted_start; fi
  check_nothing_else
  log "first start: making the database $POSTGRES_DB for $POSTGRES_USER"
  create_cluster "$staging"
  trap 'pg_ctl -D "$PGDATA/.initialising/data" -m immediate stop >/dev/null 2>&1 || true' EXIT
  trap 'exit 143' INT TERM
  start_private_server "$staging" "$@"
  # Scripts that look into PGDATA mean the database that is being made.
  (
    export PGDATA=$staging POSTGRES_USER POSTGRES_DB POSTGRES_PASSWORD PGPASSWORD=$POSTGRES_PASSWORD
    run_scripts
  )
  pg_ctl -D "$staging" -m fast -w stop
  trap - EXIT INT TERM
  PGDATA=$target
  publish_cluster "$staging"
  log "first start complete"
}

main() {
  if [[ ${1:-} == -* || $# -eq 0 ]]; then set -- postgres "$@"; fi
  if [[ $1 != postgres ]]; then exec "$@"; fi
  shift
  umask 0077
  check_owner
  if [[ ! -s $PGDATA/PG_VERSION ]]; then
    initialise "$@"
  elif [[ -d $PGDATA/.initialising ]]; then
    rm -rf -- "$PGDATA/.initialising" # killed after the last move: complete, only not swept
  fi
  unset POSTGRES_PASSWORD PGPASSWORD
  exec postgres -D "$PGDATA" "$@"
}

main "$@"
