/** A package whose service is asked for an answer in a booted environment. */
export type ServicePackage = {
  /** Of Debian and Ubuntu. */
  readonly name: string
  /** The unit that the package enables. */
  readonly unit: string
  /** A script of sh that runs after the installation and before the boot: ports below 1024 are closed to ordinary users. */
  readonly prepare?: string
  /** A script of bash that ends with 0 when the service answers. */
  readonly answer: string
}

/** The first line that a server of TCP sends, after `request` if there is one, must match `expected`, a pattern of bash. */
function answersOn(port: number, {request = '', expected}: {request?: string; expected: string}): string {
  return `exec 3<>/dev/tcp/127.0.0.1/${port} && printf '${request}' >&3 && IFS= read -r -t 5 line <&3 && [[ $line == ${expected} ]]`
}

const HTTP = {request: String.raw`GET / HTTP/1.0\r\nHost: localhost\r\n\r\n`, expected: 'HTTP/1.?*'}

/** The sixteen of which docs/services.md speaks, then five that ship a unit and no init script. */
export const SERVICE_PACKAGES: readonly ServicePackage[] = [
  {
    name: 'postgresql',
    unit: 'postgresql@*-main.service',
    answer: `[[ $(cd / && runuser -u postgres -- psql -Atc 'select 6 * 7') == 42 ]]`,
  },
  {
    name: 'nginx-light',
    unit: 'nginx.service',
    prepare: `sed -i 's/\\b80 default_server/8080 default_server/' /etc/nginx/sites-available/default`,
    answer: answersOn(8080, HTTP),
  },
  {
    name: 'apache2',
    unit: 'apache2.service',
    prepare: `sed -i 's/^Listen 80$/Listen 8081/' /etc/apache2/ports.conf`,
    answer: answersOn(8081, HTTP),
  },
  {
    name: 'redis-server',
    unit: 'redis-server.service',
    answer: answersOn(6379, {request: String.raw`PING\r\n`, expected: '+PONG*'}),
  },
  {
    name: 'memcached',
    unit: 'memcached.service',
    answer: answersOn(11_211, {request: String.raw`version\r\n`, expected: 'VERSION*'}),
  },
  {
    name: 'mosquitto',
    unit: 'mosquitto.service',
    // CONNECT of MQTT 3.1.1, whose answer begins with the byte 0x20.
    answer: `exec 3<>/dev/tcp/127.0.0.1/1883 && printf '\\x10\\x0c\\x00\\x04MQTT\\x04\\x02\\x00\\x3c\\x00\\x00' >&3 && [[ $(head -c 1 <&3) == ' ' ]]`,
  },
  {name: 'prometheus', unit: 'prometheus.service', answer: answersOn(9090, HTTP)},
  {
    name: 'cron',
    unit: 'cron.service',
    prepare: `echo '* * * * * root touch /run/cron-ran' >/etc/cron.d/envs-matrix`,
    answer: '[[ -e /run/cron-ran ]]',
  },
  {name: 'erlang-base', unit: 'epmd.socket', answer: 'epmd -names'},
  {
    name: 'openssh-server',
    unit: 'ssh.service',
    prepare: `sed -i 's/^#\\?Port .*/Port 2222/' /etc/ssh/sshd_config; mkdir -p /etc/systemd/system/ssh.socket.d; printf '[Socket]\\nListenStream=\\nListenStream=127.0.0.1:2222\\n' >/etc/systemd/system/ssh.socket.d/port.conf`,
    answer: answersOn(2222, {expected: 'SSH-2.0-*'}),
  },
  {
    name: 'mariadb-server',
    unit: 'mariadb.service',
    // Root's login by the socket compares owners, which are one in the identity emulated; docs/identity.md.
    answer: `[[ $(mysqladmin ping 2>&1) == *@(alive|'Access denied')* ]]`,
  },
  {name: 'rabbitmq-server', unit: 'rabbitmq-server.service', answer: 'exec 3<>/dev/tcp/127.0.0.1/5672'},
  {
    name: 'postfix',
    unit: 'postfix.service',
    prepare: `sed -i 's/^smtp \\( *inet\\)/2525 \\1/' /etc/postfix/master.cf`,
    answer: answersOn(2525, {expected: '220*'}),
  },
  {
    name: 'dovecot-imapd',
    unit: 'dovecot.service',
    prepare: `printf 'service imap-login {\\n  inet_listener imap {\\n    port = 1143\\n  }\\n  inet_listener imaps {\\n    port = 0\\n  }\\n}\\n' >/etc/dovecot/conf.d/99-envs-matrix.conf`,
    answer: answersOn(1143, {expected: '*OK*'}),
  },
  {name: 'containerd', unit: 'containerd.service', answer: 'ctr version'},
  {
    name: 'docker.io',
    unit: 'docker.service',
    // The settings of the host's network are the host's.
    prepare: `mkdir -p /etc/docker; echo '{"bridge": "none", "iptables": false, "ip6tables": false, "ip-forward": false}' >/etc/docker/daemon.json`,
    answer: `perl -MIO::Socket::UNIX -e '$s = IO::Socket::UNIX->new("/run/docker.sock") or exit 1; print $s "GET /_ping HTTP/1.0\\r\\n\\r\\n"; exit(<$s> =~ / 200 / ? 0 : 1)'`,
  },
  {name: 'varnish', unit: 'varnish.service', answer: answersOn(6081, HTTP)},
  {
    name: 'rsyslog',
    unit: 'rsyslog.service',
    answer: `logger envs-matrix; sleep 1; grep -q envs-matrix /var/log/syslog`,
  },
  {name: 'avahi-daemon', unit: 'avahi-daemon.service', answer: '[[ -S /run/avahi-daemon/socket ]]'},
  {
    name: 'caddy',
    unit: 'caddy.service',
    prepare: `sed -i 's/^:80 /:8082 /' /etc/caddy/Caddyfile`,
    answer: answersOn(8082, HTTP),
  },
  {name: 'nats-server', unit: 'nats-server.service', answer: answersOn(4222, {expected: 'INFO*'})},
]
