import assert from 'node:assert/strict'
import {mkdir, readdir, readFile, stat, symlink, utimes, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {type EnvironmentCli, environmentCli} from '../support/environment-cli.js'
import {imageCli} from '../support/image-cli.js'
import {startGroup} from '../support/process-group.js'
import {runnableRootfs} from '../support/runnable-rootfs.js'
import {seededRootfs} from '../support/seeded-image.js'
import {tinyRootfs} from '../support/tiny-rootfs.js'
import {waitUntil} from '../support/wait-until.js'

type Pruned = {
  readonly dryRun: boolean
  readonly freedBytes: number
  readonly pruned: readonly {
    kind: string
    name: string | null
    count: number
    sizeBytes: number
    reason: string
  }[]
}

async function prune(cli: Pick<EnvironmentCli, 'run'>, ...flags: string[]): Promise<Pruned> {
  const run = await cli.run('prune', '--json', ...flags)
  assert.equal(run.status, 0, run.stdout)
  return JSON.parse(run.stdout)
}

const kinds = ({pruned}: Pruned) => pruned.map(({kind, name, reason}) => [kind, name, reason])

const layersIn = (cli: EnvironmentCli) => readdir(join(cli.data, 'layers')).catch(() => [])

/** A tiny environment; undefined where layers can't be had. */
async function given(t: TestContext): Promise<EnvironmentCli | undefined> {
  const cli = await environmentCli(t)
  const {path} = await tinyRootfs(t, {files: 50})
  const made = await cli.run('create', path, '--identity', 'emulated', '--json')
  return JSON.parse(made.stdout).storage === 'overlay' ? cli : undefined
}

test('prune of a store with nothing in it says so', async (t) => {
  const cli = await environmentCli(t)
  const run = await cli.run('prune', '--yes')
  assert.deepEqual([run.status, run.stdout, run.stderr], [0, '', 'There is nothing to remove.\n'])
  assert.deepEqual(await prune(cli, '--dry-run'), {
    dryRun: true,
    freedBytes: 0,
    kept: {younger: [], environments: {count: 0, sizeBytes: 0}},
    pruned: [],
  })
})

test('prune asks, and without a terminal wants --yes and removes nothing', async (t) => {
  const cli = await given(t)
  if (cli === undefined) return t.skip('no layers on this host')
  await cli.run('rm', 'tiny')
  const run = await cli.run('prune')
  assert.deepEqual(
    [run.status, run.stderr.split('\n')[1]],
    [2, '  Add --yes to go ahead without the question.'],
  )
  assert.equal((await layersIn(cli)).length, 1)
})

test('what is unpacked of an image goes when no environment stands on it, and not before', async (t) => {
  const cli = await given(t)
  if (cli === undefined) return t.skip('no layers on this host')
  assert.deepEqual((await prune(cli, '--yes', '--older-than', '0')).pruned, [])
  await cli.run('rm', 'tiny')
  const plan = await prune(cli, '--dry-run')
  assert.equal((await layersIn(cli)).length, 1)
  const done = await prune(cli, '--yes')
  assert.deepEqual({...done, dryRun: true}, plan)
  assert.deepEqual(
    kinds(done).map(([kind, , reason]) => [kind, reason]),
    [['image-tree', 'unused']],
  )
  assert.ok(done.freedBytes > 50 * 8192)
  assert.deepEqual(await layersIn(cli), [])
  assert.deepEqual((await prune(cli, '--dry-run')).pruned, [])
})

test('snapshots that were made by themselves go when they are old, with what only they hold', async (t) => {
  const cli = await given(t)
  if (cli === undefined) return t.skip('no layers on this host')
  const before = await layersIn(cli)
  const only = `e${'1'.repeat(31)}`
  const tree = join(cli.data, 'layers', only, 'tree')
  await mkdir(tree, {recursive: true})
  await writeFile(join(tree, 'big'), Buffer.alloc(1 << 20, 'x'))
  const path = join(cli.store, 'tiny', 'history.json')
  const history = JSON.parse(await readFile(path, 'utf8'))
  const at = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString()
  const snapshot = (label: string, kind: string, days: number) => ({
    label,
    kind,
    createdAt: at(days),
    layers: [...history.layers, ...(label === 'old' ? [only] : [])],
  })
  const snapshots = [
    snapshot('old', 'automatic', 8),
    snapshot('mine', 'manual', 100),
    snapshot('new', 'automatic', 6),
  ]
  await writeFile(path, JSON.stringify({...history, snapshots}))
  const run = await cli.run('prune', '--yes')
  assert.match(run.stdout, /^ *SIZE +WHAT +REASON\n1\.\d MB +1 snapshot of tiny +old\n$/)
  assert.match(
    run.stderr,
    /^Freed 1\.\d MB\.\nThe environment takes .*B, with snapshots\. See them: envs list\. Remove one: envs rm NAME\n$/,
  )
  const labels = JSON.parse(await readFile(path, 'utf8')).snapshots.map(({label}: {label: string}) => label)
  assert.deepEqual(labels, ['mine', 'new'])
  assert.deepEqual((await layersIn(cli)).sort(), before.sort())
  assert.deepEqual(kinds(await prune(cli, '--dry-run', '--older-than', '5d')), [['snapshots', 'tiny', 'old']])
  assert.deepEqual(kinds(await prune(cli, '--dry-run', '--older-than', '1w')), [])
})

test('prune says what else takes disk space, and how to free it', async (t) => {
  const cli = await environmentCli(t)
  const {path} = await tinyRootfs(t, {files: 50})
  await cli.run('create', path, '--quiet')
  const packages = join(cli.home, 'cache/envs/packages/sha256')
  await mkdir(packages, {recursive: true})
  const day = 86_400_000
  for (const [digit, days] of [
    ['a', 1],
    ['b', 8],
  ] as const) {
    const file = join(packages, digit.repeat(64))
    await writeFile(file, Buffer.alloc(1 << 20, 'x'))
    const usedAt = new Date(Date.now() - days * day)
    await utimes(file, usedAt, usedAt)
  }
  const run = await cli.run('prune', '--dry-run')
  const [freed, young, environments, end] = run.stderr.split('\n')
  assert.match(freed ?? '', /^Would free 1\.\d MB\.$/)
  assert.match(
    young ?? '',
    /^Too young: 1 shared package, 1\.\d MB\. To remove them too: envs prune --older-than 0$/,
  )
  assert.match(environments ?? '', /^The environment takes .*B, with snapshots\. See them: envs list\./)
  assert.equal(end, '')
  const {kept} = JSON.parse((await cli.run('prune', '--dry-run', '--json')).stdout)
  assert.deepEqual([kept.younger[0].kind, kept.younger[0].count], ['packages', 1])
  assert.equal(kept.environments.count, 1)
})

test('an age without a unit is refused', async (t) => {
  const cli = await environmentCli(t)
  for (const argv of [
    ['prune', '--older-than', '7'],
    ['image', 'prune', '--older-than', '7'],
  ]) {
    const run = await cli.run(...argv)
    assert.deepEqual(
      [run.status, run.stderr],
      [2, 'envs: "7" is not a valid age.\n  Write hours, days or weeks: 12h, 7d, 2w\n'],
    )
  }
})

test('an environment that runs is left alone', async (t) => {
  const cli = await environmentCli(t)
  const made = await cli.run('create', await seededRootfs(cli), '--name', 'play', '--json')
  if (JSON.parse(made.stdout).storage !== 'overlay') return t.skip('no layers on this host')
  const path = join(cli.store, 'play', 'history.json')
  const history = JSON.parse(await readFile(path, 'utf8'))
  const old = {label: 'old', kind: 'automatic', createdAt: '2020-01-01T00:00:00.000Z', layers: history.layers}
  await writeFile(path, JSON.stringify({...history, snapshots: [old]}))
  const run = startGroup(cli, ['run', 'play', 'sleep', '100'])
  t.after(async () => {
    run.signalGroup('SIGKILL')
    await run.ended
  })
  await waitUntil('the session', async () => (await cli.run('ps')).stdout.includes('sleep 100'))
  assert.deepEqual((await prune(cli, '--yes', '--older-than', '0')).pruned, [])
  assert.equal((await cli.run('run', 'play', 'true')).status, 0)
})

test('what envs try left goes, and what is unpacked of its image with it', async (t) => {
  const cli = await environmentCli(t)
  await cli.run(
    'try',
    '--disk',
    await runnableRootfs(cli.home),
    '-q',
    '--',
    'sh',
    '-c',
    // By the shell alone: 4 MiB.
    's=x; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22; do s=$s$s; done; printf %s "$s" >/root/big',
  )
  const plan = await prune(cli, '--dry-run')
  assert.deepEqual(kinds(plan)[0], ['try', 'try-1', 'ended'])
  const layered = plan.pruned.length === 2
  const done = await prune(cli, '--yes')
  assert.deepEqual({...done, dryRun: true}, plan)
  assert.ok((done.pruned[0]?.sizeBytes ?? 0) >= 3_000_000)
  if (layered) assert.deepEqual(await layersIn(cli), [])
  assert.deepEqual(await cli.storeEntries(), [])
})

test('a try whose record a disk has damaged holds nothing else up, and goes', async (t) => {
  const cli = await environmentCli(t)
  await cli.run('try', '--disk', await runnableRootfs(cli.home), '-q', '--', 'true')
  await writeFile(join(cli.data, 'environments/try-1/env.json'), '')
  assert.deepEqual(kinds(await prune(cli, '--dry-run'))[0], ['try', 'try-1', 'ended'])
  await prune(cli, '--yes')
  assert.deepEqual(await cli.storeEntries(), [])
})

test('what killed commands left goes, and no link in it is followed', async (t) => {
  const cli = await environmentCli(t)
  const folder = join(cli.store, '.partial.emulated.0123abcd.gone', 'rootfs')
  for (const path of [folder, join(cli.data, 'locks')]) await mkdir(path, {recursive: true})
  await mkdir(join(cli.data, 'layers', '.removed.emulated.89abcdef'), {recursive: true})
  await writeFile(join(cli.home, 'mine'), 'mine')
  await symlink(cli.home, join(folder, 'link'))
  const done = await prune(cli, '--yes')
  assert.deepEqual(
    done.pruned.map(({kind, count, reason}) => ({kind, count, reason})),
    [{kind: 'leftover', count: 2, reason: 'unfinished'}],
  )
  assert.equal(await readFile(join(cli.home, 'mine'), 'utf8'), 'mine')
  assert.deepEqual([await cli.storeEntries(), await layersIn(cli)], [[], []])
})

test('shared packages that nothing has used go, by their names alone, and no link is followed', async (t) => {
  const cli = await environmentCli(t)
  const folder = join(cli.home, 'cache', 'envs', 'packages', 'sha256')
  await mkdir(folder, {recursive: true})
  const old = new Date(Date.now() - 8 * 86_400_000)
  const mine = join(cli.home, 'mine')
  for (const path of [join(folder, 'a'.repeat(64)), join(folder, 'b'.repeat(64)), join(folder, 'else'), mine])
    await writeFile(path, 'x'.repeat(5000))
  for (const path of [join(folder, 'a'.repeat(64)), join(folder, 'else'), mine]) await utimes(path, old, old)
  await symlink(mine, join(folder, 'c'.repeat(64)))
  const done = await prune(cli, '--yes')
  assert.deepEqual(done.pruned, [{kind: 'packages', name: null, count: 1, sizeBytes: 8192, reason: 'unused'}])
  assert.deepEqual((await readdir(folder)).sort(), ['b'.repeat(64), 'c'.repeat(64), 'else'])
  assert.ok((await stat(mine)).isFile())
})

test('images that nothing has used for long go, unless an environment was made from them', async (t) => {
  const {bytes, sha256} = await tinyRootfs(t)
  const {cli, envs, entries, images} = await imageCli(t, bytes)
  await envs('create', 'focal', '--name', 'play')
  const old = new Date(Date.now() - 8 * 86_400_000)
  await utimes(join(images, sha256, 'last-used'), old, old)
  assert.deepEqual(kinds(await prune(cli, '--dry-run')), [])
  await cli.run('rm', 'play')
  const found = kinds(await prune(cli, '--yes')).filter(([kind]) => kind === 'image')
  assert.deepEqual(found, [['image', 'ubuntu:focal/base 20.04.5', 'unused']])
  assert.deepEqual(await entries(), [])
})

test('image list and image rm know who was made from an image, and that nobody needs it any more', async (t) => {
  const {bytes} = await tinyRootfs(t)
  const {cli, envs} = await imageCli(t, bytes)
  const made = JSON.parse((await envs('create', 'focal', '--name', 'play', '--json')).stdout)
  await envs('create', 'focal', '--name', 'other')
  const [image] = JSON.parse((await envs('image', 'list', '--json')).stdout)
  assert.deepEqual(image.usedBy, ['other', 'play'])
  assert.match((await envs('image', 'list')).stdout, / other play\n$/)
  const removed = await envs('image', 'rm', 'focal')
  assert.equal(
    removed.stderr,
    'Removed ubuntu:focal/base 20.04.5. These environments were made from it and do not need it: other, play.\n',
  )
  assert.equal((await cli.run('clone', 'play', 'third')).status, 0)
  for (const name of ['play', 'other', 'third']) await cli.run('rm', name)
  if (made.storage !== 'overlay') return
  assert.equal((await layersIn(cli)).length, 1)
  await envs('image', 'pull', 'focal')
  await envs('image', 'rm', 'focal')
  assert.deepEqual(await layersIn(cli), [])
})

test('create warns of a store that has outgrown its budget, and a size that is none is refused before anything is done', async (t) => {
  const cli = await environmentCli(t)
  const {path} = await tinyRootfs(t, {files: 200})
  const small = await cli.runWith({env: {ENVS_DISK_BUDGET: '1M'}}, 'create', path)
  assert.equal(small.status, 0)
  assert.match(
    small.stderr,
    /envs: warning: envs uses 1\.\d MB of disk space, more than the diskBudget of 1\.0 MB\. /,
  )
  const large = await cli.runWith({env: {ENVS_DISK_BUDGET: '1G'}}, 'clone', 'tiny', 'copy')
  assert.doesNotMatch(large.stderr, /diskBudget/)
  const wrong = await cli.runWith({env: {ENVS_DISK_BUDGET: 'much'}}, 'clone', 'tiny', 'third')
  assert.equal(wrong.status, 2)
  assert.deepEqual(await cli.storeEntries(), ['copy', 'tiny'])
})
