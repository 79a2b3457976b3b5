# The server answers with status 200. Port 80 of a shared network is closed to ordinary users: another one is set.
set -eu
sed -i "s/80 default_server/$PORT default_server/" /etc/nginx/sites-available/default
service nginx start
status_line() {
  exec 3<>"/dev/tcp/127.0.0.1/$PORT" || return
  printf 'GET / HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3
  head -n 1 <&3
}
for _ in $(seq 60); do
  answer=$(status_line 2>&1) || true
  case $answer in 'HTTP/1.1 200'*) break ;; esac
  sleep 0.5
done
echo "GET /: $answer"
case $answer in 'HTTP/1.1 200'*) ;; *) exit 1 ;; esac
service nginx stop
