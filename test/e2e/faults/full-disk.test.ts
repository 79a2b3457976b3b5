import assert from 'node:assert/strict'
import {readdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import type {TestContext} from 'node:test'
import {type Ran, sandboxedCli} from '../../support/cli.js'
import {debianRootfs} from '../../support/debian-rootfs.js'
import {runnableRootfs} from '../../support/runnable-rootfs.js'
import {type SmallDisk, smallDisk} from '../../support/small-disk.js'
import {layeredTest as test} from '../../support/stacked-layers.js'
import {creation, done, givenEnvironment} from '../../support/store-at-rest.js'
import {deepen, storeState, writeUpper} from '../../support/store-state.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'
import {runWithUsedUpQuota} from '../../support/used-up-quota.js'

/** How much room is left, in pages: none, some for the first files, some for many of them. */
const ROOM = [0, 1, 2, 4, 8, 16, 32]

/** One after another in the same store; each may find what those before it have made. */
const COMMANDS = [
  ['clone', 'play', 'copy', '-q'],
  ['clone', 'plain', 'plain-copy', '-q'],
  ['rename', 'play', 'game'],
  ['keep', 'kept', 'try-1'],
  ['import', 'OTHER', '-n', 'new', '--identity', 'emulated', '-q'],
  ['export', 'plain', '-o', 'OUTPUT'],
] as const

test('what needs room says so on a full disk and leaves all as it was; with some room it is done', async (t) => {
  const {run, disk, store, paths} = await givenSmall(t)
  for (const words of COMMANDS) {
    await t.test(words.join(' '), async () => {
      const argv = words.map((word) => (word in paths ? paths[word as keyof typeof paths] : word))
      const [verb, subject = ''] = words
      const untouched = () => {
        const {environments, ...others} = storeState(store)
        // In two files of it the new name may stand already; it is tried again below.
        const {[verb === 'rename' ? subject : '']: _renamed, ...rest} = environments
        return {...others, ...rest, beside: readdirSync(disk.outside).filter((name) => name !== 'ballast')}
      }
      const before = untouched()
      let ran: Ran | undefined
      let refusals = 0
      for (const pages of ROOM) {
        disk.leave(pages)
        ran = await run(...argv, '--json')
        if (ran.status === 0) break
        refusals++
        assertFull(ran)
        assert.deepEqual(untouched(), before, `${pages} pages`)
      }
      assert.ok(refusals > 0)
      disk.free()
      if (ran?.status !== 0) ran = await run(...argv, '--json')
      assert.equal(ran.status, 0, ran.stdout)
      assert.notDeepEqual(untouched(), before)
      assert.deepEqual(storeState(store).leftovers, [])
    })
  }
})

test('on a full disk all can be looked at, gone back to, and removed', async (t) => {
  const {run, disk, store} = await givenSmall(t)
  for (const argv of [
    ['list', '--all'],
    ['show', 'play'],
    ['snapshots', 'deep'],
    ['diff', 'play'],
    ['diff', 'play', 'first'],
    ['snapshot', 'play', 'second'],
    ['undo', 'play'],
    ['restore', 'play', 'second'],
    ['reset', 'play'],
    ['snapshots', 'play', '--remove', 'first'],
    ['snapshot', 'deep', 'last'],
    ['prune', '--yes', '--older-than', '0'],
    ['rm', 'play', 'plain'],
  ]) {
    disk.leave(0)
    const {status, stdout} = await run(...argv, '--json')
    assert.equal(status, 0, `${argv.join(' ')}: ${stdout}`)
  }
  disk.free()
  assert.equal((await run('snapshots', 'deep', '-q')).stdout, 'last\n')
  assert.deepEqual(Object.keys(storeState(store).environments), ['deep'])
  assert.deepEqual(storeState(store).leftovers, [])
})

test('a snapshot and a clone of what runs are refused on a full disk, and it runs on', async (t) => {
  const tidyUps: (() => Promise<void>)[] = []
  // The other way round: what runs keeps the disk.
  t.after(async () => {
    for (const tidyUp of tidyUps.reverse()) await tidyUp()
  })
  const scope = {after: (tidyUp: () => Promise<void>) => void tidyUps.push(tidyUp)}
  const disk = await smallDisk(scope, {megabytes: 500})
  const {run} = await sandboxedCli(scope, disk.behind, {XDG_DATA_HOME: disk.folder})
  const store = join(disk.outside, 'envs')
  await done({run}, 'create', await debianRootfs(), '-n', 'play', '--identity', 'emulated', '-q')
  scope.after(async () => void (await run('rm', '-f', 'play')))
  const script = 'head -c 8000000 /dev/zero >/root/big; sleep 300 >/dev/null 2>&1 </dev/null &'
  await done({run}, 'run', 'play', '--', 'sh', '-c', script)
  for (const pages of [0, 1000]) {
    disk.leave(pages)
    assertFull(await run('snapshot', 'play', 'full', '--json'))
    assertFull(await run('clone', 'play', 'copy', '--json'))
    assert.match((await run('ps', 'play', '--json')).stdout, /sleep 300/)
  }
  disk.free()
  assert.equal((await run('snapshots', 'play', '-q')).stdout, '')
  const {environments, leftovers} = storeState(store)
  assert.deepEqual([Object.keys(environments), leftovers], [['play'], []])
  await done({run}, 'snapshot', 'play', 'roomy')
})

test('an environment starts on a full disk, its changes can be undone, and a later start works as well', async (t) => {
  const tidyUps: (() => Promise<void>)[] = []
  t.after(async () => {
    for (const tidyUp of tidyUps.reverse()) await tidyUp()
  })
  const scope = {after: (tidyUp: () => Promise<void>) => void tidyUps.push(tidyUp)}
  const disk = await smallDisk(scope, {megabytes: 16})
  const {run, home} = await sandboxedCli(scope, disk.behind, {XDG_DATA_HOME: disk.folder})
  await done({run}, 'create', await runnableRootfs(home), '-n', 'play', '--identity', 'emulated', '-q')
  scope.after(async () => void (await run('rm', '-f', 'play')))
  const session = (script: string) => run('run', 'play', '--', 'sh', '-c', script)
  await session('echo old >/root/word')
  await run('stop', '-f', 'play')
  await session('echo new >/root/word')
  await run('stop', '-f', 'play')
  disk.leave(0)
  for (const word of ['new', 'old']) {
    const {stdout, stderr} = await session('read word </root/word && echo "$word"')
    assert.deepEqual([stdout, stderr], [`${word}\n`, ''])
    await run('stop', '-f', 'play')
    if (word === 'new') await done({run}, 'undo', 'play')
  }
  disk.free()
  assert.deepEqual(storeState(join(disk.outside, 'envs')).leftovers, [])
})

test('what needs little room is done though the quota is used up, and the rest says that it is', async (t) => {
  const cli = await givenEnvironment(t, 'play')
  writeUpper(cli.data, 'play', 'marker', '1')
  await done(cli, 'snapshot', 'play', 'first')
  writeUpper(cli.data, 'play', 'marker', '2')
  for (const argv of [
    ['undo', 'play'],
    ['snapshots', 'play', '--remove', 'first'],
    ['reset', 'play'],
  ]) {
    const {status, stderr} = await runWithUsedUpQuota(cli, 'reserve', ...argv)
    assert.equal(status, 0, stderr)
  }
  const refused = await runWithUsedUpQuota(cli, 'reserve', 'clone', 'play', 'game', '-q')
  assert.equal(refused.status, 8)
  assert.match(refused.stderr, /^envs: Your quota is used up on the disk of "[^"]+"\.\n {2}Free some space/)
  const removed = await runWithUsedUpQuota(cli, 'reserve', 'rm', 'play')
  assert.equal(removed.status, 0, removed.stderr)
})

function assertFull({status, stdout}: Ran): void {
  assert.equal(status, 8, stdout)
  const {code, suggestions} = JSON.parse(stdout).error
  assert.match(code, /^ENVS_(NO_SPACE|STORAGE_FULL|OUTPUT_FULL)$/)
  assert.match(suggestions.join(), /Free some space/)
}

/** A store on a small disk: one with a snapshot, one of as many layers as can be, one that is a folder, and an ended try. */
async function givenSmall(t: TestContext): Promise<{
  disk: SmallDisk
  store: string
  paths: {readonly OTHER: string; readonly OUTPUT: string}
  run: (...argv: readonly string[]) => Promise<Ran>
}> {
  const disk = await smallDisk(t, {megabytes: 8})
  const cli = await sandboxedCli(t, disk.behind, {XDG_DATA_HOME: disk.folder})
  const store = join(disk.outside, 'envs')
  await done(cli, ...(await creation(t, 'play')))
  writeUpper(store, 'play', 'marker', '1')
  await done(cli, 'snapshot', 'play', 'first')
  writeUpper(store, 'play', 'marker', 'written since')
  await done(cli, 'clone', 'play', 'deep', '-q')
  await deepen(store, 'deep')
  writeUpper(store, 'deep', 'marker', 'written since')
  await done(cli, 'clone', 'play', 'try-1', '-q')
  writeFileSync(join(store, 'environments', 'try-1', 'try'), 'ended\n')
  await done(cli, ...(await creation(t, 'plain')), '--storage', 'directory')
  const paths = {OTHER: join(cli.home, 'other.tar.gz'), OUTPUT: join(disk.folder, 'plain.tar')}
  writeFileSync(paths.OTHER, (await tinyRootfs(t, {files: 6})).bytes)
  return {disk, store, paths, run: cli.run}
}
