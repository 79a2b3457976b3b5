import assert from 'node:assert/strict'
import {mkdir, readdir, rename, rm, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {WITH_TRASH} from '../../support/cli.js'
import {type EnvironmentCli, environmentCli} from '../../support/environment-cli.js'
import {gatedProgram} from '../../support/gated-program.js'
import {startGroup} from '../../support/process-group.js'
import {layeredTest} from '../../support/stacked-layers.js'
import {done} from '../../support/store-at-rest.js'
import {makeOld, storeState, writeUpper} from '../../support/store-state.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'

const DAY_MS = 86_400_000

test('rm says how to get an environment back and until when, and recover brings it back', async (t) => {
  const {cli, before} = await given(t, 'play')
  const from = Date.now()
  const removed = await cli.run('rm', 'play', '--json')
  const {recoverable, ...others} = JSON.parse(removed.stdout)
  assert.deepEqual([removed.status, others], [0, {removed: ['play']}])
  const [{name, keptUntil}] = recoverable
  assert.equal(name, 'play')
  const keptMs = Date.parse(keptUntil) - from
  assert.ok(keptMs >= 3 * DAY_MS && keptMs < 3 * DAY_MS + 60_000, keptUntil)
  assert.equal((await cli.run('list', '-q')).stdout, '')
  assert.equal((await cli.run('list', '--removed', '-q')).stdout, 'play\n')
  const recovered = await cli.run('recover', 'play')
  assert.deepEqual([recovered.status, recovered.stderr], [0, 'Recovered play.\n'])
  assert.deepEqual(storeState(cli.data), before)

  const again = await cli.run('rm', 'play')
  assert.match(
    again.stderr,
    /^Removed play\. To get it back, until \d{4}-\d\d-\d\d \d\d:\d\d: envs recover play\n$/,
  )
})

test('the name of a removed environment is free at once, and several with that name come back one after another', async (t) => {
  const {cli} = await given(t, 'play')
  writeUpper(cli.data, 'play', 'first', '1')
  await done(cli, 'rm', 'play')
  await make(cli, t, 'play')
  writeUpper(cli.data, 'play', 'second', '22')
  await done(cli, 'rm', 'play')
  await make(cli, t, 'play')
  const {environments} = storeState(cli.data)
  const refused = await cli.run('recover', 'play', '--json')
  assert.equal(refused.status, 4)
  const {code, suggestions} = JSON.parse(refused.stdout).error
  assert.deepEqual(
    [code, suggestions],
    ['ENVS_EXISTS', ['Recover it under another name: envs recover play --name NEW']],
  )
  assert.equal((await cli.run('recover', 'play', '--name', 'b')).stderr, 'Recovered play as b.\n')
  await done(cli, 'recover', 'play', '--name', 'a')
  const found = storeState(cli.data).environments
  assert.equal(found['play'], environments['play'])
  assert.match(found['a'] ?? '', /first/)
  assert.match(found['b'] ?? '', /second/)
  const none = await cli.run('recover', 'play', '--name', 'c', '--json')
  assert.deepEqual([none.status, JSON.parse(none.stdout).error.code], [3, 'ENVS_NOT_REMOVED'])
})

test('a command on a removed environment says that it can be recovered', async (t) => {
  const {cli} = await given(t, 'play')
  await done(cli, 'rm', 'play')
  for (const argv of [
    ['show', 'play'],
    ['run', 'play', '--', 'true'],
    ['rm', 'play'],
  ]) {
    const {stderr} = await cli.run(...argv)
    assert.match(
      stderr,
      /There is no environment "play"\.\n.*It was removed\. To get it back: envs recover play\n/,
    )
  }
})

test('rm --now deletes an environment at once, or a removed one', async (t) => {
  const {cli} = await given(t, 'play')
  await done(cli, 'rm', 'play')
  await make(cli, t, 'play')
  assert.equal((await cli.run('rm', '--now', 'play')).stderr, 'Removed play.\n')
  assert.equal((await cli.run('list', '--removed', '-q')).stdout, 'play\n')
  await done(cli, 'rm', '--now', 'play')
  assert.deepEqual(await cli.storeEntries(), [])
  assert.deepEqual(storeState(cli.data).leftovers, [])
  const none = await cli.run('rm', '--now', 'play', '--json')
  assert.deepEqual([none.status, JSON.parse(none.stdout).error.code], [3, 'ENVS_NOT_FOUND'])
})

test('a removed environment whose time is over goes with the next command', async (t) => {
  const {cli} = await given(t, 'play')
  await done(cli, 'rm', 'play')
  await expire(cli)
  assert.equal((await cli.run('list', '--removed', '--json')).stdout.trim(), '[]')
  assert.deepEqual(await cli.storeEntries(), [])
  assert.deepEqual(storeState(cli.data).leftovers, [])
})

for (const [variable, value] of [
  ['ENVS_TRASH_TIME', '0h'],
  ['ENVS_TRASH_SIZE', '0%'],
  ['ENVS_TRASH_SIZE', '0M'],
] as const) {
  test(`with ${variable}=${value} a removal is final`, async (t) => {
    const {cli} = await given(t, 'play', {[variable]: value})
    assert.equal((await cli.run('rm', 'play')).stderr, 'Removed play.\n')
    assert.deepEqual(await cli.storeEntries(), [])
  })
}

test('more than trashSize is not kept: the first removed goes, and the last removed never', async (t) => {
  const {cli} = await given(t, 'a', {ENVS_TRASH_SIZE: '100k'})
  for (const name of ['b', 'c']) await make(cli, t, name)
  for (const name of ['a', 'b', 'c']) await grow(cli, name, 'large')
  await done(cli, 'rm', 'a')
  const second = await cli.run('rm', 'b')
  assert.match(second.stderr, /\nDeleted for good, because the setting trashSize allows no more: a\.\n$/)
  assert.equal((await cli.run('list', '--removed', '-q')).stdout, 'b\n')
  await grow(cli, 'c', 'larger')
  const third = await cli.run('rm', 'c')
  assert.match(third.stderr, /\nc still takes 1\d\d kB\. To free the space now: envs rm --now c\n/)
  assert.equal((await cli.run('list', '--removed', '-q')).stdout, 'c\n')
  assert.deepEqual(storeState(cli.data).leftovers, [])
})

test('prune deletes removed environments when it is asked to, and else says what they take', async (t) => {
  const {cli, before} = await given(t, 'play')
  await done(cli, 'rm', 'play')
  makeOld(cli.data)
  const plain = await cli.run('prune', '--yes')
  assert.match(plain.stderr, /1 removed environment takes .* To delete them as well: envs prune --removed\n/)
  await done(cli, 'recover', 'play')
  assert.deepEqual(storeState(cli.data).environments, before.environments)
  await done(cli, 'rm', 'play')
  const {pruned} = JSON.parse((await cli.run('prune', '--removed', '--yes', '--json')).stdout)
  assert.deepEqual(pruned.map(({kind, name}: {kind: string; name: string}) => [kind, name]).slice(0, 1), [
    ['removed', 'play'],
  ])
  const {environments, removed, leftovers} = storeState(cli.data)
  assert.deepEqual([environments, removed, leftovers], [{}, {}, []])
  assert.deepEqual(await readdir(join(cli.data, 'layers')).catch(() => []), [])
})

test('a removed environment with a damaged record comes back as it was', async (t) => {
  const {cli} = await given(t, 'play')
  const record = join(cli.store, 'play', 'env.json')
  await rename(record, `${record}.good`)
  await writeFile(record, '{')
  await done(cli, 'rm', 'play')
  const [listed] = JSON.parse((await cli.run('list', '--removed', '--json')).stdout)
  assert.deepEqual([listed.name, listed.image, listed.sizeBytes], ['play', null, null])
  await done(cli, 'recover', 'play')
  await rename(`${record}.good`, record)
  assert.equal((await cli.run('show', 'play')).status, 0)
})

test('an environment of envs try that has ended is deleted at once', async (t) => {
  const {cli} = await given(t, 'try-1')
  await writeFile(join(cli.store, 'try-1', 'try'), 'ended\n')
  assert.equal((await cli.run('rm', 'try-1')).stderr, 'Removed try-1.\n')
  assert.deepEqual(await cli.storeEntries(), [])
})

test('an entry that only resembles a removed environment is none', async (t) => {
  const {cli} = await given(t, 'play')
  const names = [
    '.trash.mapped.1-2.x',
    '.trash.other.0000000000000-0000000000000.x',
    '.trash.emulated.0000000000000-0000000000000...',
  ]
  for (const name of names) await mkdir(join(cli.store, name))
  assert.equal((await cli.run('list', '--removed', '--json')).stdout.trim(), '[]')
  assert.deepEqual(await cli.storeEntries(), [...names, 'play'].sort())
})

layeredTest(
  'a sweep beside a removed environment leaves its layers, and those that a clone shares',
  async (t) => {
    const {cli} = await given(t, 'play', {ENVS_STORAGE: 'overlay'})
    writeUpper(cli.data, 'play', 'sealed', 'whole')
    await done(cli, 'snapshot', 'play', 'before')
    await done(cli, 'clone', 'play', 'copy', '-q')
    const {environments} = storeState(cli.data)
    await done(cli, 'rm', 'play')
    makeOld(cli.data)
    await done(cli, 'rm', '--now', 'copy')
    await done(cli, 'prune', '--yes', '--older-than', '0')
    await done(cli, 'doctor', '--repair')
    await done(cli, 'recover', 'play')
    assert.equal(storeState(cli.data).environments['play'], environments['play'])
    assert.deepEqual(storeState(cli.data).leftovers, [])
  },
)

layeredTest('a sweep beside a recovery under a new name leaves the environment to it', async (t) => {
  const {cli} = await given(t, 'play', {ENVS_STORAGE: 'overlay'})
  await done(cli, 'rm', 'play')
  await expire(cli)
  const gate = await gatedProgram(cli.home, 'mount')
  await gate.close()
  const slow = startGroup(cli, ['recover', 'play', '--name', 'again'], {
    PATH: `${gate.folder}:${cli.env['PATH']}`,
  })
  await gate.reached()
  await done(cli, 'list')
  await done(cli, 'doctor', '--repair')
  const busy = await cli.run('recover', 'play', '--json')
  assert.deepEqual([busy.status, JSON.parse(busy.stdout).error.code], [4, 'ENVS_BUSY'])
  await gate.open()
  const {status, stderr} = await slow.ended
  assert.deepEqual([status, stderr], [0, 'Recovered play as again.\n'])
  assert.equal((await cli.run('show', 'again')).status, 0)
})

/** An environment in a store with a trash. */
async function given(t: TestContext, name: string, variables: Readonly<Record<string, string>> = {}) {
  const cli = await environmentCli(t, {...WITH_TRASH, ...variables})
  await make(cli, t, name)
  return {cli, before: storeState(cli.data)}
}

async function make(cli: EnvironmentCli, t: TestContext, name: string): Promise<void> {
  const {path} = await tinyRootfs(t, {files: 5})
  await done(cli, 'create', path, '-n', name, '--identity', 'emulated', '-q')
}

/** Writes 60 kB into an environment, as a session does: then its recorded size counts no more. */
async function grow(cli: EnvironmentCli, name: string, file: string): Promise<void> {
  writeUpper(cli.data, name, file, 'x'.repeat(60_000))
  await rm(join(cli.store, name, 'usage.json'), {force: true})
}

/** Lets the time of all removed environments be over. */
async function expire(cli: EnvironmentCli): Promise<void> {
  for (const entry of await cli.storeEntries()) {
    const over = entry.replace(/-\d{13}\./, '-0000000000001.')
    if (entry.startsWith('.trash.')) await rename(join(cli.store, entry), join(cli.store, over))
  }
}
