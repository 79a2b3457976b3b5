import assert from 'node:assert/strict'
import {test} from 'node:test'
import {IDENTITIES} from '../../support/guest.js'
import {servicesGuest} from '../../support/services-guest.js'

const UNITS = '/etc/systemd/system'

/** In the place of files that pid 1 reads: FIFOs and devices without an end, links in a circle, folders, names that are options. */
const SET_TRAPS = `cd ${UNITS}
mkfifo fifo.service && ln -s /dev/zero zero.service && ln -s circle.service round.service && ln -s round.service circle.service
mkdir folder.service && printf '[Service]\\nExecStart=/bin/true' >-x.service && head -c 3000000 /dev/zero >large.service
mkdir -p multi-user.target.wants && ln -s ../fifo.service ../zero.service ../circle.service ../large.service ../folder.service multi-user.target.wants
printf '[Unit]\\nRequires=b.service\\nAfter=b.service\\n[Service]\\nExecStart=/bin/sleep 1000\\n' >a.service
printf '[Unit]\\nRequires=a.service\\nAfter=a.service\\n[Service]\\nExecStart=/bin/sleep 1000\\n' >b.service
ln -s ../a.service multi-user.target.wants
rm -f /etc/machine-id && mkfifo /etc/machine-id
rm -rf /run/outside /run/link && mkdir /var/outside && touch /var/outside/kept && ln -s /var/outside /run/link
mkdir -p /etc/tmpfiles.d && printf 'd /run/../var/escaped\\nL+ /run/link2 - - - - /var/outside\\nd /run/made 0750 daemon daemon\\n' >/etc/tmpfiles.d/traps.conf
systemctl daemon-reload`

for (const {identity, skip} of IDENTITIES) {
  const play = servicesGuest(identity, {})

  test(`${identity}: files in a tree can't stop the supervisor`, {skip}, async () => {
    const {cli, sh} = await play()
    const set = await sh(SET_TRAPS)
    assert.deepEqual([set.status, set.stderr], [0, ''])
    assert.equal((await cli.run('stop', 'play')).stderr, 'Stopped play.\n')
    const ran = await sh(`systemctl is-system-running --wait; systemctl is-active a b
systemctl start fifo zero circle large folder 2>/dev/null || echo refused
ls /var/outside; [ -e /var/escaped ] || echo contained; stat -c %a /run/made; [ -e /run/link ] || echo emptied`)
    assert.equal(ran.stdout, 'running\nactive\nactive\nrefused\nkept\ncontained\n750\nemptied\n', ran.stderr)
  })

  test(`${identity}: a signal to all processes ends no supervisor`, {skip}, async () => {
    const {sh} = await play()
    const namespace = 'readlink /proc/self/ns/pid'
    const before = await sh(`${namespace}; trap "" TERM; kill -TERM -1; kill -INT 1; kill -HUP 1`)
    const ran = await sh(`systemctl is-system-running; ${namespace}`)
    assert.equal(ran.stdout, `running\n${before.stdout}`, ran.stderr)
  })
}
