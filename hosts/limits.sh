#!/bin/bash
# Tries limits with control groups of a booted host: npm run hosts -- noble --script hosts/limits.sh
# Ends with 1 if something is not as docs/limits.md says. An emulated machine is slow: a quarter of an hour on a busy one.
. /srv/hosts/scenes
enter_switch_off

cat >/srv/limits-steps <<'STEPS'
failures=0
# check WHAT WANTED GOT
check() {
  case $3 in
    $2) echo "ok    $1" ;;
    *) echo "FAIL  $1: $3, not $2"; failures=$((failures + 1)) ;;
  esac
}
state() { cat "$HOME/.local/share/envs/environments/t/run/anchor.json"; }
group() { state | sed -n 's/.*"group":"\([^"]*\)".*/\1/p'; }
# Takes 45 MB: dd reads into a buffer of that size.
HOG='dd if=/dev/zero of=/dev/null bs=45M count=1'

try_groups() {
  envs create /srv/hosts/image.tar.gz --name t --memory 100M --cpus 0.5 --processes 60 --require-limits --quiet
  check 'created with required limits' 0 $?
  first=$(envs run t -- sed -n 's/^0:://p' /proc/self/cgroup 2>&1)
  check 'the first session is in the group' "*${1}*" "$first"
  first_state=$(state)
  # It stays until it is stopped.
  envs run t -- sleep 3600 &
  group=$(group)
  check memory 99999744 "$(cat "$group/memory.max")"
  check swap 0 "$(cat "$group/memory.swap.max" 2>/dev/null || echo 0)"
  check cpus '50000 100000' "$(cat "$group/cpu.max")"
  check 'a session of the front door is in it' "*${1}*" "$(envs run t -- sed -n 's/^0:://p' /proc/self/cgroup)"
  check 'one process is too large' '*the limit of memory was reached: the kernel ended 1 *' \
    "$(envs run t -- dd if=/dev/zero of=/dev/null bs=200M count=1 2>&1)"
  check 'the environment continues' alive "$(envs run t -- echo alive 2>&1)"
  # Each is below the limit, all together are not.
  envs run t -- sh -c 'for name in 1 2 3; do head -c 45000000 /dev/zero | tail | { sleep 2; cat; } >/dev/null & done; wait' >/srv/said 2>&1
  check 'several together are too large' '*the limit of memory was reached*' "$(cat /srv/said)"
  check 'the environment continues after that' alive "$(envs run t -- echo alive 2>&1)"
  check 'a fork bomb ends' '*annot fork*' "$(envs run t -- sh -c 'for name in $(seq 100); do sleep 3 & done; wait' 2>&1)"
  # Those that the bomb has left.
  sleep 4
  envs run t -- sh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done'
  throttled=$(sed -n 's/^nr_throttled //p' "$group/cpu.stat")
  check 'processors are shared' '[1-9]*' "$throttled"
  check 'the first process is the same' "$first_state" "$(state)"
  envs run --detach t -- sleep 30
  check 'a program in the background is in it' '*sleep*30*' "$(for pid in $(cat "$group/cgroup.procs"); do tr '\0' ' ' <"/proc/$pid/cmdline"; done)"
  envs show t | grep -E '^(Limit|Out)'
  envs stop t --quiet
  export ENVS_ENGINE=unshare
  envs run t -- sleep 3600 &
  check 'with the engine unshare, too' '*the limit of memory was reached*' \
    "$(envs run t -- dd if=/dev/zero of=/dev/null bs=200M count=1 2>&1)"
  check 'by that engine' '*"engine":"unshare"*' "$(state)"
  envs stop t --quiet
  unset ENVS_ENGINE
}
STEPS

cat >/srv/limits-by-manager <<'STEPS'
. /srv/limits-steps
echo '== by a user manager, from a session of logind'
try_groups '/run-'
exit $((failures > 0))
STEPS

cat >/srv/limits-by-delegation <<'STEPS'
. /srv/limits-steps
echo '== in a unit with Delegate=yes, without a user manager'
export HOME=/home/v PATH=/usr/local/bin:/usr/bin:/bin
cd
try_groups /envs-t-
exit $((failures > 0))
STEPS

cat >/srv/limits-without <<'STEPS'
. /srv/limits-steps
echo '== without either'
cd
envs create /srv/hosts/image.tar.gz --name w --memory 100M --processes 60 --quiet 2>/srv/said
check 'told' '*memory (100 MB for each process alone)*' "$(cat /srv/said)"
check 'each process' 97656 "$(envs run w -- sh -c 'ulimit -d' 2>/dev/null)"
envs set w require-limits=yes --quiet 2>/srv/said
check refused 7 $?
exit $((failures > 0))
STEPS

chmod 666 /srv/said 2>/dev/null || { : >/srv/said; chmod 666 /srv/said; }
status=0
su - u -c 'bash /srv/limits-by-manager' </dev/null 2>&1 || status=1
systemd-run --quiet --wait --pipe --collect -p Delegate=yes -p User=v bash /srv/limits-by-delegation </dev/null 2>&1 || status=1
env -i HOME=/home/w USER=w LOGNAME=w PATH=/usr/local/bin:/usr/bin:/bin setpriv --reuid w --regid w --init-groups \
  bash /srv/limits-without </dev/null 2>&1 || status=1
exit "$status"
