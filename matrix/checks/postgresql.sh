# The cluster that the package made answers a question of its owner's.
set -eu
sed -i "s/^port = [0-9]*/port = $PORT/" /etc/postgresql/*/main/postgresql.conf
service postgresql start
answer=$(su postgres -c "psql -p $PORT -Atc 'select current_user, 6 * 7'")
echo "SQL: $answer"
[ "$answer" = 'postgres|42' ]
service postgresql stop
