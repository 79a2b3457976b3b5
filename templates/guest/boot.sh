# pid 1 of an environment that boots, until it becomes the guest's own init. Run by sh -c; $1 is "make-believe" or "real".
exec </dev/null >/dev/console 2>&1
# In emulated environments, su and similar programs must be replaced before any process can call them.
[ ! -x /usr/lib/envs/lay-shims ] || /usr/lib/envs/lay-shims
# Only at the first start of a new environment, a clone or an import, if its packages make keys for each machine.
[ ! -x /usr/lib/envs/renew-keys ] || /usr/lib/envs/renew-keys
container=envs NOTIFY_SOCKET=/run/host/notify
export container NOTIFY_SOCKET
exec /sbin/init --log-target=console --show-status=true
