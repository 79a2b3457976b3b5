# A user made inside logs in with a key.
set -eu
useradd --create-home --shell /bin/bash dev
runuser -u dev -- sh -c 'cd && mkdir -m 700 .ssh && ssh-keygen -q -t ed25519 -N "" -f .ssh/id && cp .ssh/id.pub .ssh/authorized_keys'
echo "Port $PORT" >/etc/ssh/sshd_config.d/port.conf
case $IDENTITY in
  mapped) service ssh start ;;
  # Where users are emulated, a server lets in the user who started it.
  emulated) runuser -u dev -- /usr/sbin/sshd -o PidFile=none ;;
esac
login() {
  runuser -u dev -- ssh -p "$PORT" -i /home/dev/.ssh/id -o BatchMode=yes -o StrictHostKeyChecking=accept-new \
    dev@127.0.0.1 'id -un; pwd'
}
for _ in $(seq 60); do
  answer=$(login 2>&1) && break
  sleep 0.5
done
echo "ssh: $answer"
[ "$(printf '%s\n' "$answer" | tail -n 2)" = "dev
/home/dev" ]
