import assert from 'node:assert/strict'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import type {Identity} from '../../../src/sandbox/identity.js'
import {type EnvironmentCli, environmentCli} from '../../support/environment-cli.js'
import {IDENTITIES} from '../../support/guest.js'
import {seededRootfs} from '../../support/seeded-image.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'

/** What overlayfs marks: a file that went, a folder that was replaced by another; and owners and modes. */
const CHANGES = `rm /etc/issue
  rm -r /usr/share/doc && mkdir /usr/share/doc && echo new >/usr/share/doc/new
  echo own >/srv/own && chown games:games /srv/own && chmod 4750 /srv/own`

const LOOK = `cat /etc/hostname; test ! -e /etc/issue; ls /usr/share/doc; stat -c '%U %a' /srv/own; cat /srv/own`

/** @returns undefined where layers can't be had. */
async function given(t: TestContext, identity: Identity): Promise<EnvironmentCli | undefined> {
  const cli = await environmentCli(t)
  const made = await cli.run(
    'create',
    await seededRootfs(cli, identity),
    '--name',
    'a',
    '--identity',
    identity,
    '--json',
  )
  assert.equal(made.status, 0, made.stderr)
  if (JSON.parse(made.stdout).storage !== 'overlay') return undefined
  const changed = await cli.run('run', 'a', 'sh', '-ec', CHANGES)
  assert.equal(changed.status, 0, changed.stderr)
  return cli
}

const layersOf = async (cli: EnvironmentCli, name: string): Promise<string[]> =>
  JSON.parse((await cli.run('path', name, '--json')).stdout).layers

for (const {identity, skip} of IDENTITIES) {
  const owner = identity === 'mapped' ? 'games 4750' : 'root 4750'

  test(`a clone of one at rest stands on the same layers, and neither sees what the other does, ${identity}`, {
    skip,
  }, async (t) => {
    const cli = await given(t, identity)
    if (cli === undefined) return t.skip('no layers on this host')
    await cli.run('stop', 'a')
    const before = await layersOf(cli, 'a')
    const run = await cli.run('clone', 'a', 'b', '--quiet')
    assert.deepEqual([run.status, run.stderr], [0, ''])
    const [a, b] = [await layersOf(cli, 'a'), await layersOf(cli, 'b')]
    assert.deepEqual(a.slice(0, -1), before)
    assert.deepEqual(b.slice(0, -1), before)
    assert.notEqual(a.at(-1), b.at(-1))
    const seen = await cli.run('run', 'b', 'sh', '-ec', `${LOOK}; echo b >/srv/b`)
    assert.deepEqual([seen.status, seen.stdout], [0, `b\nnew\n${owner}\nown\n`])
    const other = await cli.run('run', 'a', 'sh', '-ec', `${LOOK}; ls /srv; rm /srv/own`)
    assert.deepEqual([other.status, other.stdout], [0, `a\nnew\n${owner}\nown\nown\n`])
    assert.equal((await cli.run('run', 'b', 'cat', '/srv/own')).stdout, 'own\n')
    const machines = await Promise.all(
      ['a', 'b'].map(async (name) => (await cli.run('run', name, 'cat', '/etc/machine-id')).stdout),
    )
    assert.match(machines[1] ?? '', /^[0-9a-f]{32}\n$/)
    assert.notEqual(machines[0], machines[1])
    await cli.run('rm', '--force', 'a')
    assert.equal((await cli.run('run', 'b', 'sh', '-ec', LOOK)).stdout, `b\nnew\n${owner}\nown\n`)
  })

  test(`a clone of one that runs is what that one was at one moment, and it goes on, ${identity}`, {
    skip,
  }, async (t) => {
    const cli = await given(t, identity)
    if (cli === undefined) return t.skip('no layers on this host')
    // Two files that always hold the same, but for the moment between two writes.
    const write = (file: string) => `echo $i >/srv/new; mv /srv/new /srv/${file}`
    const loop = `i=0; while :; do i=$((i+1)); ${write('x')}; ${write('y')}; done`
    const started = await cli.run('run', 'a', 'sh', '-c', `sh -c '${loop}' >/dev/null 2>&1 </dev/null &`)
    assert.equal(started.status, 0)
    const run = await cli.run('clone', 'a', 'b')
    assert.equal(run.status, 0, run.stderr)
    assert.match(
      run.stderr,
      /\nCopied a to b\.\nThe environment is running: its processes were frozen for \d+ ms while .+ were copied\.\n/,
    )
    const [x = 0, y = 0] = (await cli.run('run', 'b', 'cat', '/srv/x', '/srv/y')).stdout
      .split('\n')
      .map(Number)
    assert.ok(x === y || x === y + 1 || x === 0, `${x} and ${y}`)
    assert.equal((await cli.run('run', 'b', 'sh', '-ec', LOOK)).stdout, `b\nnew\n${owner}\nown\n`)
    assert.match((await cli.run('ps', 'a')).stdout, /while :/)
    const later = Number((await cli.run('run', 'a', 'cat', '/srv/y')).stdout)
    assert.ok(later > y, `${later} after ${y}`)
  })

  test(`a clone with the other identity gets a whole tree of its own, ${identity}`, {skip}, async (t) => {
    const other = IDENTITIES.find((each) => each.identity !== identity)
    if (other === undefined || other.skip !== false) return t.skip('no other identity on this host')
    const cli = await given(t, identity)
    if (cli === undefined) return t.skip('no layers on this host')
    await cli.run('run', 'a', 'sh', '-c', 'sleep 100 >/dev/null 2>&1 </dev/null &')
    const running = await cli.run('clone', 'a', 'b', '--identity', other.identity, '--json')
    assert.equal(JSON.parse(running.stdout).error.code, 'ENVS_RUNNING')
    await cli.run('stop', 'a')
    const run = await cli.run('clone', 'a', 'b', '--identity', other.identity, '--json')
    assert.equal(run.status, 0, run.stdout)
    const {storage, sharedBytes, sizeBytes} = JSON.parse(run.stdout)
    assert.deepEqual([storage, sharedBytes], ['overlay', 0])
    assert.ok(sizeBytes > 50e6)
    const common = (await layersOf(cli, 'b')).filter((layer) => layer.includes('/layers/'))
    assert.ok(!(await layersOf(cli, 'a')).some((layer) => common.includes(layer)))
    // Who owns it: the image never said so, and in emulated the change of owner never happened.
    const seen = await cli.run('run', 'b', 'sh', '-ec', LOOK)
    assert.deepEqual([seen.status, seen.stdout], [0, 'b\nnew\nroot 4750\nown\n'])
  })
}

test('undo of the original after a clone goes back to what was cloned', async (t) => {
  const cli = await given(t, 'emulated')
  if (cli === undefined) return t.skip('no layers on this host')
  await cli.run('stop', 'a')
  await cli.run('clone', 'a', 'b')
  await cli.run('run', 'a', 'rm', '/srv/own')
  await cli.run('stop', 'a')
  const undone = await cli.run('undo', 'a')
  assert.equal(undone.status, 0, undone.stderr)
  assert.equal((await cli.run('run', 'a', 'cat', '/srv/own')).stdout, 'own\n')
})

test('clones of clones stay within what can be mounted', async (t) => {
  const cli = await environmentCli(t)
  const {path} = await tinyRootfs(t)
  const made = await cli.run('create', path, '--name', 'copy-0', '--identity', 'emulated', '--json')
  if (JSON.parse(made.stdout).storage !== 'overlay') return t.skip('no layers on this host')
  // More than mostLayers of src/store/squash.ts has.
  const most = 27
  for (let copy = 1; copy <= most; copy++) {
    const run = await cli.run('clone', `copy-${copy - 1}`, `copy-${copy}`, '-q')
    assert.deepEqual([run.status, run.stderr], [0, ''], `copy ${copy}`)
  }
  const layers = await layersOf(cli, `copy-${most}`)
  assert.ok(layers.length < most, String(layers.length))
  assert.equal(await readFile(join(layers.at(-1) ?? '', 'etc/hostname'), 'utf8'), `copy-${most}\n`)
})
