# A job of root's crontab runs. cron looks once a minute, so that this can take one.
set -eu
echo '* * * * * id -un >/root/job-ran' | crontab -
service cron start
for _ in $(seq 150); do
  [ -s /root/job-ran ] && break
  sleep 1
done
[ "$(cat /root/job-ran)" = root ]
service cron stop
