// Starts first, because it takes minutes, and would be alone at the end.
import assert from 'node:assert/strict'
import {test} from 'node:test'
import {freePort} from '../../../matrix/free-port.js'
import {checkOf, type Package} from '../../../matrix/packages.js'
import {capture} from '../../../src/host/process.js'
import type {Identity} from '../../../src/sandbox/identity.js'
import {type Guest, IDENTITIES, sharedGuest} from '../../support/guest.js'

/** The packages that `npm run matrix` has a check for, in one environment: APT has to be asked, and to install, only once. */
const SERVERS: readonly Package[] = ['openssh-server', 'postgresql', 'nginx-light', 'redis-server']
const PACKAGES: readonly Package[] = [...SERVERS, 'cron']

const INSTALL = `export DEBIAN_FRONTEND=noninteractive
  apt-get -qq update && apt-get -qq install -y hello ${PACKAGES.join(' ')}`

/** Longer than an installation takes on a busy machine. */
const TIMEOUT_MS = 600_000

function withPackages(identity: Identity): () => Promise<Guest> {
  const shared = sharedGuest(identity)
  let made: Promise<Guest> | undefined
  const make = async () => {
    const guest = await shared()
    const argv = [...guest.cli.words, 'run', 'play', 'sh', '-c', INSTALL]
    const installed = await capture(argv, {cwd: guest.cli.home, env: guest.cli.env, timeout: TIMEOUT_MS})
    assert.equal(installed.status, 0, installed.stdout + installed.stderr)
    return guest
  }
  return () => {
    made ??= make()
    return made
  }
}

/** Runs the script that proves the claim of a package. */
async function proven(guest: Guest, name: Package, identity: Identity): Promise<void> {
  const check = await checkOf(name)
  assert.ok(check, `${name} has no check`)
  const flags = ['--env', `PORT=${await freePort()}`, '--env', `IDENTITY=${identity}`]
  const argv = [...guest.cli.words, 'run', ...flags, 'play', '--', 'bash', '-c', check.script]
  const ran = await capture(argv, {cwd: guest.cli.home, env: guest.cli.env, timeout: TIMEOUT_MS})
  assert.equal(ran.status, 0, `${name}: ${check.claim}\n${ran.stdout}${ran.stderr}`)
}

for (const {identity, skip} of IDENTITIES) {
  const play = withPackages(identity)

  test(`${identity}: APT installs packages with users and services of their own, and starts none`, {
    skip,
  }, async () => {
    const guest = await play()
    const sound = await guest.sh(
      "hello; dpkg --audit; dpkg -l | tail -n +6 | grep -v '^ii '; apt-get -qq check",
    )
    assert.deepEqual([sound.stdout, sound.stderr], ['Hello, world!\n', ''])
    const owners = await guest.run('stat', '-c', '%U:%G %a', '/etc/shadow', '/etc/ssh')
    const group = identity === 'mapped' ? 'shadow' : 'root'
    assert.deepEqual(owners.stdout, `root:${group} 640\nroot:root 755\n`)
    assert.equal((await guest.sh('mkdir -p /run/sshd && sshd -t')).status, 0)
    assert.equal((await guest.cli.run('ps', 'play', '-q')).stdout, '')
  })

  test(`${identity}: a user logs in with ssh, PostgreSQL, nginx and Redis answer, and a job of cron runs`, {
    skip,
  }, async () => {
    const guest = await play()
    // It waits for the next minute, in which the others are tried.
    const job = proven(guest, 'cron', identity)
    await Promise.all([
      job,
      (async () => {
        for (const name of SERVERS) await proven(guest, name, identity)
      })(),
    ])
  })

  test(`${identity}: clusters of PostgreSQL are made, stopped and purged`, {skip}, async () => {
    const {sh, cli} = await play()
    const made = await sh(
      `service postgresql start && su - postgres -c 'createdb mine && psql -Atc "select 2" mine'`,
    )
    assert.match(made.stdout, /^2$/m, made.stderr)
    assert.match((await sh('pg_lsclusters --no-header')).stdout, /^\d+ +main +\d+ +online /)

    const {services} = JSON.parse((await cli.run('services', 'play', '--json')).stdout)
    const row = services.find(({unit}: {unit: string}) => unit === 'postgresql.service')
    assert.deepEqual([row.state, row.ports.length > 0], ['active', true], JSON.stringify(row))

    const second = await sh(
      `version=$(ls /etc/postgresql); pg_createcluster "$version" second --start >/dev/null &&
     runuser -u postgres -- psql --cluster "$version/second" -Atc 'select 3' &&
     pg_dropcluster --stop "$version" second`,
    )
    assert.deepEqual([second.status, second.stdout], [0, '3\n'], second.stderr)

    const stopped = await sh('pg_ctlcluster $(ls /etc/postgresql) main stop && pg_lsclusters --no-header')
    assert.match(stopped.stdout, /^\d+ +main +\d+ +down /, stopped.stderr)
    const purged = await sh(
      `DEBIAN_FRONTEND=noninteractive apt-get -qq purge -y 'postgresql*' >/dev/null 2>&1; dpkg --audit
     ls -d /etc/postgresql /var/lib/postgresql 2>/dev/null; ls /usr/bin | grep -c cluster`,
    )
    assert.equal(purged.stdout, '0\n')
  })
}
