import assert from 'node:assert/strict'
import {existsSync} from 'node:fs'
import {readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {setTimeout as sleep} from 'node:timers/promises'
import {type EnvironmentCli, plainCli, whyNotMapped} from '../../support/environment-cli.js'
import {killGroup, startGroup} from '../../support/process-group.js'
import {LAST_MEMBER, type RootfsFile, tinyRootfs} from '../../support/tiny-rootfs.js'

/** Enough that extracting and removing take longer than starting. */
const FILES = 1000

for (const {identity, moments} of [
  {identity: 'emulated', moments: 15},
  {identity: 'mapped', moments: 8},
]) {
  test(`create, killed at any moment, leaves all of it or nothing, ${identity}`, async (t) => {
    const reason = identity === 'mapped' ? await whyNotMapped() : undefined
    if (reason !== undefined) return t.skip(reason)
    const {cli, rootfs} = await given(t)
    const create = ['create', rootfs.path, '--identity', identity, '--quiet']
    const wholeMs = await timeOf(cli, create)
    await cli.run('rm', 'tiny')
    for (let moment = 1; moment <= moments; moment++) {
      await killGroup(startGroup(cli, create), (wholeMs * moment) / moments)
      await assertWholeOrNothing(cli)
      await cli.run('rm', 'tiny')
    }
    await assertSwept(cli, rootfs)
  })

  test(`rm, killed at any moment, leaves all of it or what the next command removes, ${identity}`, async (t) => {
    const reason = identity === 'mapped' ? await whyNotMapped() : undefined
    if (reason !== undefined) return t.skip(reason)
    const {cli, rootfs} = await given(t)
    const create = ['create', rootfs.path, '--identity', identity, '--quiet']
    await cli.run(...create)
    const wholeMs = await timeOf(cli, ['rm', 'tiny'])
    for (let moment = 1; moment <= moments / 2; moment++) {
      await cli.run(...create)
      await killGroup(startGroup(cli, ['rm', 'tiny']), (wholeMs * moment * 2) / moments)
      await assertWholeOrNothing(cli)
    }
    await assertSwept(cli, rootfs)
  })
}

test('rename, killed at any moment, leaves it whole under one of its names', async (t) => {
  const {cli, rootfs} = await given(t, {files: 0})
  await cli.run('create', rootfs.path)
  const wholeMs = await timeOf(cli, ['rename', 'tiny', 'name-0'])
  let name = 'name-0'
  for (let moment = 1; moment <= 12; moment++) {
    await killGroup(startGroup(cli, ['rename', name, `name-${moment}`]), (wholeMs * moment) / 12)
    const names = (await cli.run('list', '-q')).stdout.trim().split('\n')
    assert.ok(names.length === 1 && [name, `name-${moment}`].includes(names[0] ?? ''), names.join())
    name = names[0] ?? ''
    assert.equal(await readFile(join(cli.root(name), LAST_MEMBER), 'utf8'), 'data')
  }
  assert.deepEqual(await cli.storeEntries(), [name])
})

test('create, killed without what it started, is swept by the next one', async (t) => {
  const {cli, rootfs} = await given(t)
  const create = ['create', rootfs.path, '--quiet']
  const wholeMs = await timeOf(cli, create)
  await cli.run('rm', 'tiny')
  for (const [index, part] of [0.6, 0.75, 0.9].entries()) {
    const run = startGroup(cli, create)
    await Promise.race([sleep(wholeMs * part), run.ended])
    run.signalLeader('SIGKILL')
    assert.equal((await cli.run('create', rootfs.path, '--name', `other-${index}`)).status, 0)
    await run.ended
    await assertWholeOrNothing(cli)
    await cli.run('rm', 'tiny')
  }
  await assertSwept(cli, rootfs)
})

test('what a command that still runs has half made is no leftover', async (t) => {
  const {cli, rootfs} = await given(t)
  const slow = startGroup(cli, ['create', rootfs.path, '--name', 'slow', '--quiet'])
  while (!(await cli.storeEntries()).some((name) => name.startsWith('.partial.'))) await sleep(5)
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

async function timeOf(cli: EnvironmentCli, argv: readonly string[]): Promise<number> {
  const start = performance.now()
  const run = await cli.run(...argv)
  assert.equal(run.status, 0, run.stderr)
  return performance.now() - start
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
