import assert from 'node:assert/strict'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {openHost} from '../../../src/host/host.js'
import {capture} from '../../../src/host/process.js'
import type {Identity} from '../../../src/sandbox/identity.js'
import type {SandboxedCli} from '../../support/cli.js'
import {type Guest, IDENTITIES, sharedGuest} from '../../support/guest.js'

/** Files that a machine must not share with another. */
const SECRETS = ['ssh_host_rsa_key', 'ssh_host_ecdsa_key', 'ssh_host_ed25519_key', 'ssl-cert-snakeoil']

/** A Debian environment with openssh-server and ssl-cert, and an archive of its tree with all that is in it. */
type Original = Guest & {readonly archive: string; readonly keys: readonly string[]}

const ARCHIVE = 'with-keys.tar'

function sharedOriginal(identity: Identity): () => Promise<Original> {
  const shared = sharedGuest(identity)
  let made: Promise<Original> | undefined
  const make = async () => {
    const guest = await shared()
    const installed = await guest.sh(
      `export DEBIAN_FRONTEND=noninteractive
      { apt-get update && apt-get install -y --no-install-recommends openssh-server ssl-cert; } >/dev/null`,
    )
    assert.equal(installed.status, 0, installed.stderr)
    const archived = await guest.onHost(
      `envs run play -- tar -C / --one-file-system -cf - --exclude=./run/envs . >${ARCHIVE}`,
    )
    assert.equal(archived.status, 0, archived.stderr)
    return {...guest, archive: join(guest.cli.home, ARCHIVE), keys: await keysOf(guest.cli, 'play')}
  }
  return () => {
    made ??= make()
    return made
  }
}

/** What others know the machine by: a line each key. */
async function keysOf(cli: SandboxedCli, name: string): Promise<string[]> {
  const script = `cut -d' ' -f2 /etc/ssh/ssh_host_*_key.pub
    openssl x509 -noout -fingerprint -in /etc/ssl/certs/ssl-cert-snakeoil.pem`
  const {status, stdout, stderr} = await cli.run('run', name, '--', 'sh', '-ec', script)
  assert.equal(status, 0, stderr)
  return stdout.trim().split('\n')
}

/** Prints nothing where each key is there, fits its public half, is closed to others, and serves its server. */
const CHECK = `set -e
  for type in rsa ecdsa ed25519; do
    key=/etc/ssh/ssh_host_\${type}_key
    test "$(stat -c %a $key)" = 600
    test "$(ssh-keygen -yf $key | cut -d' ' -f2)" = "$(cut -d' ' -f2 $key.pub)"
  done
  mkdir -p /run/sshd && /usr/sbin/sshd -t
  key=/etc/ssl/private/ssl-cert-snakeoil.key certificate=/etc/ssl/certs/ssl-cert-snakeoil.pem
  test "$(stat -c %a $key)" = 640
  test "$(openssl pkey -in $key -pubout)" = "$(openssl x509 -in $certificate -noout -pubkey)"
  test "$(openssl x509 -in $certificate -noout -subject | sed 's/.*= *//')" = "$(hostname)"
  openssl verify -CApath /etc/ssl/certs $certificate >/dev/null
  test "$(find /etc/ssl/certs -lname ssl-cert-snakeoil.pem | wc -l)" = 1
  test ! -e /usr/lib/envs/renew-keys`

async function assertWhole(cli: SandboxedCli, name: string): Promise<void> {
  const {status, stdout, stderr} = await cli.run('run', name, '--', 'sh', '-c', CHECK)
  assert.deepEqual([status, stdout, stderr], [0, '', ''])
}

/** A name that is gone after the test. */
function named(t: TestContext, {cli}: Guest, name: string): string {
  t.after(() => cli.run('rm', '--force', name))
  return name
}

function assertNoneShared(...sets: readonly (readonly string[])[]): void {
  for (const keys of sets) assert.equal(keys.length, SECRETS.length)
  const all = sets.flat()
  assert.deepEqual(new Set(all).size, all.length, all.join('\n'))
}

const noProot = openHost().which('proot') === undefined ? 'proot is not installed' : false

const originals = {emulated: sharedOriginal('emulated'), mapped: sharedOriginal('mapped')}

for (const {identity, skip} of IDENTITIES) {
  const original = originals[identity]

  test(`${identity}: environments of one archive have keys of their own, which work`, {skip}, async (t) => {
    const guest = await original()
    const {cli, archive} = guest
    const names = ['a', 'b'].map((name) => named(t, guest, name))
    for (const name of names) {
      const made = await cli.run('create', archive, '-n', name, '--identity', identity, '-q')
      assert.equal(made.status, 0, made.stderr)
      await assertWhole(cli, name)
    }
    const [a = [], b = []] = await Promise.all(names.map((name) => keysOf(cli, name)))
    assertNoneShared(guest.keys, a, b)
    await cli.run('stop', 'a')
    assert.deepEqual(await keysOf(cli, 'a'), a, 'the second start leaves them')
    assert.doesNotMatch((await cli.run('diff', 'a')).stdout, /ssh_host|snakeoil|renew-keys/)
    assert.equal((await cli.run('reset', 'a', '--force', '-q')).status, 0)
    await assertWhole(cli, 'a')
  })

  test(`${identity}: a clone has keys of its own, of one that runs too`, {skip}, async (t) => {
    const guest = await original()
    const {cli} = guest
    for (const state of ['running', 'stopped'] as const) {
      if (state === 'stopped') await cli.run('stop', '--force', 'play')
      else await guest.sh('sleep 600 >/dev/null 2>&1 & true')
      const name = named(t, guest, `of-${state}`)
      const made = await cli.run('clone', 'play', name, '-q')
      assert.equal(made.status, 0, made.stderr)
      await assertWhole(cli, name)
      assertNoneShared(guest.keys, await keysOf(cli, name))
    }
    assert.deepEqual(await keysOf(cli, 'play'), guest.keys)
  })

  test(`${identity}: an export holds no key, and each import makes some`, {skip}, async (t) => {
    const guest = await original()
    const {cli} = guest
    await guest.sh('ln -f /etc/ssh/ssh_host_rsa_key.pub /root/another-name')
    await cli.run('stop', '--force', 'play')
    const exported = await cli.run('export', 'play', '-o', 'play.tar', '--force', '-q')
    assert.equal(exported.status, 0, exported.stderr)
    const {stdout} = await capture(['tar', '-tvf', join(cli.home, 'play.tar')])
    assert.match(stdout, /\.\/etc\/ssh\/sshd_config/)
    assert.doesNotMatch(stdout, /ssh_host|snakeoil/)
    assert.match(stdout, /^-rw-r--r-- .* \.\/root\/another-name$/m, 'a file, not a link to what is left out')
    assert.match(stdout, /^-r--r--r-- \S+ +0 .* \.\/etc\/machine-id$/m)
    const names = ['c', 'd'].map((name) => named(t, guest, name))
    for (const name of names) {
      const made = await cli.run('import', 'play.tar', '-n', name, '--identity', identity, '-q')
      assert.equal(made.status, 0, made.stderr)
      await assertWhole(cli, name)
    }
    const [c = [], d = []] = await Promise.all(names.map((name) => keysOf(cli, name)))
    assertNoneShared(guest.keys, c, d)
    assert.deepEqual(await keysOf(cli, 'play'), guest.keys)
  })
}

test('proot: the first of two sessions that begin at once makes the keys for both', {
  skip: noProot,
}, async (t) => {
  const guest = await originals.emulated()
  const env = {ENVS_ENGINE: 'proot', ENVS_STORAGE: 'directory'}
  const name = named(t, guest, 'by-proot')
  const made = await guest.cli.runWith({env}, 'create', guest.archive, '-n', name, '-q')
  assert.equal(made.status, 0, made.stderr)
  const cli: SandboxedCli = {...guest.cli, run: (...argv) => guest.cli.runWith({env}, ...argv)}
  const [first, second] = await Promise.all([keysOf(cli, name), keysOf(cli, name)])
  assert.deepEqual(first, second)
  assertNoneShared(guest.keys, first)
  await assertWhole(cli, name)
})
