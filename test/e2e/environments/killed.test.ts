// Tier: faults, because it kills commands at their steps.
import assert from 'node:assert/strict'
import {existsSync} from 'node:fs'
import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {type EnvironmentCli, plainCli, whyNotMapped} from '../../support/environment-cli.js'
import {assertHits, chooseKills, runKilled, stepsOf} from '../../support/killed-steps.js'
import {startGroup} from '../../support/process-group.js'
import {done} from '../../support/store-at-rest.js'
import {LAST_MEMBER, type RootfsFile, tinyRootfs} from '../../support/tiny-rootfs.js'
import {waitUntil} from '../../support/wait-until.js'

/** Enough that extracting and removing take longer than starting. */
const FILES = 1000

/** As those of e2e/faults, whose store the host could not copy: its files are those of other users. */
for (const [what, prepare, argvOf] of [
  ['create', async () => {}, creation],
  ['rm', async (cli, path) => done(cli, ...creation(path)), () => ['rm', 'tiny']],
] as const satisfies readonly (readonly [string, Prepare, (path: string) => string[]])[]) {
  test(`${what}, killed at any step, leaves all of it or what the next command removes, mapped`, async (t) => {
    const reason = await whyNotMapped()
    if (reason !== undefined) return t.skip(reason)
    const {cli, rootfs} = await given(t, {files: 20})
    const argv = argvOf(rootfs.path)
    // It may note in the cache what the next run finds there.
    await done(cli, ...creation(rootfs.path))
    await done(cli, 'rm', 'tiny')
    await prepare(cli, rootfs.path)
    const {steps, status, stderr} = await stepsOf(cli, argv)
    assert.equal(status, 0, stderr)
    const kills = chooseKills(steps, {isSlow: true})
    let hits = 0
    for (const kill of kills) {
      await cli.run('rm', 'tiny')
      await prepare(cli, rootfs.path)
      if (await runKilled(cli, argv, kill)) hits++
      await assertWholeOrNothing(cli)
    }
    assertHits(hits, kills)
    await assertSwept(cli, rootfs)
  })
}

type Prepare = (cli: EnvironmentCli, path: string) => Promise<void>

function creation(path: string): string[] {
  return ['create', path, '--identity', 'mapped', '--quiet']
}

test('what a command that still runs has half made is no leftover', async (t) => {
  const {cli, rootfs} = await given(t)
  const slow = startGroup(cli, ['create', rootfs.path, '--name', 'slow', '--quiet'])
  await waitUntil('what it makes', async () =>
    (await cli.storeEntries()).some((name) => name.startsWith('.partial.')),
  )
  slow.signalGroup('SIGSTOP')
  assert.equal((await cli.run('create', rootfs.path, '--name', 'other')).status, 0)
  assert.equal((await cli.storeEntries()).length, 2)
  slow.signalGroup('SIGCONT')
  assert.equal((await slow.ended).status, 0)
  assert.deepEqual(await cli.storeEntries(), ['other', 'slow'])
})

test('files in the store that are nobody’s leftovers stay', async (t) => {
  const {cli, rootfs} = await given(t, {files: 0})
  await cli.run('create', rootfs.path)
  await writeFile(join(cli.store, '.note'), 'mine')
  await cli.run('create', rootfs.path, '--name', 'other')
  assert.deepEqual(await cli.storeEntries(), ['.note', 'other', 'tiny'])
})

async function given(
  t: TestContext,
  {files = FILES} = {},
): Promise<{cli: EnvironmentCli; rootfs: RootfsFile}> {
  const cli = await plainCli(t)
  return {cli, rootfs: await tinyRootfs(t, {files})}
}

async function assertWholeOrNothing(cli: EnvironmentCli): Promise<void> {
  const run = await cli.run('list', '--json')
  assert.equal(run.status, 0, run.stdout)
  const found: unknown = JSON.parse(run.stdout)
  assert.ok(Array.isArray(found))
  for (const {name, state} of found) {
    assert.equal(state, 'stopped')
    assert.ok(existsSync(join(cli.root(name), LAST_MEMBER)), `${name} is a part of one`)
    assert.ok(existsSync(join(cli.root(name), 'etc/hostname')), `${name} lacks its fixes`)
  }
}

/** The next create finds no obstacle and leaves nothing but environments. */
async function assertSwept(cli: EnvironmentCli, {path}: RootfsFile): Promise<void> {
  const run = await cli.run('create', path, '--name', 'last')
  assert.equal(run.status, 0, run.stderr)
  const names = (await cli.run('list', '-q')).stdout.trim().split('\n')
  assert.deepEqual(await cli.storeEntries(), names)
}
