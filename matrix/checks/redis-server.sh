# The server, on a port of its own, answers PING.
set -eu
sed -i "s/^port .*/port $PORT/" /etc/redis/redis.conf
service redis-server start
for _ in $(seq 60); do
  answer=$(redis-cli -p "$PORT" ping 2>&1) || true
  [ "$answer" = PONG ] && break
  sleep 0.5
done
echo "PING: $answer"
[ "$answer" = PONG ]
service redis-server stop
