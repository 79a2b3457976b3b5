import assert from 'node:assert/strict'
import {existsSync} from 'node:fs'
import {readdir, readFile, rename, rm, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import type {TestContext} from 'node:test'
import {type EnvironmentCli, environmentCli} from '../../support/environment-cli.js'
import {layer, put} from '../../support/image-layers.js'
import {writeLayout} from '../../support/image-layout.js'
import {assertDocumented} from '../../support/json-schema.js'
import {runnableMembers, runnableRootfs} from '../../support/runnable-rootfs.js'
import {layeredTest as test} from '../../support/stacked-layers.js'
import {done} from '../../support/store-at-rest.js'

test('a lost upper layer is said, nothing takes its place, and undo goes to the last state that is left', async (t) => {
  const {cli, layers, history} = await givenPlay(t)
  await change(cli, 'one')
  await done(cli, 'snapshot', 'play', 'first')
  await change(cli, 'two')
  const {upper} = await history()
  await rm(join(layers, upper), {recursive: true})
  const before = (await readdir(layers)).sort()

  const refusal =
    `envs: The changes of "play" since its last snapshot are lost: its upper layer "${join(layers, upper)}" is missing.\n` +
    '  Restore the folder from a backup, or go back to the last state that is left: envs undo play\n' +
    '  See what else is missing: envs doctor --check play\n'
  for (const argv of [
    ['run', 'play', 'true'],
    ['clone', 'play', 'copy', '-q'],
    ['snapshot', 'play', 'second'],
    ['diff', 'play'],
    ['export', 'play', '-q', '-o', join(cli.home, 'play.tar')],
  ]) {
    const {status, stderr} = await cli.run(...argv)
    assert.deepEqual([status, stderr], [argv[0] === 'run' ? 125 : 8, refusal])
  }
  assert.deepEqual((await readdir(layers)).sort(), before)

  const check = await checked(cli, 10)
  assert.deepEqual(
    check.map(({kind, environment, path}) => ({kind, environment, path})),
    [{kind: 'upper', environment: 'play', path: join(layers, upper)}],
  )
  await done(cli, 'undo', 'play')
  assert.deepEqual(await filesOf(cli), ['one'])
  assert.deepEqual(await checked(cli, 0), [])
})

test('an environment that was never started loses its upper layer: undo and reset give it another', async (t) => {
  for (const verb of ['undo', 'reset']) {
    const {cli, layers, history} = await givenPlay(t)
    await rm(join(layers, (await history()).upper), {recursive: true})
    assert.equal((await cli.run('run', 'play', 'true')).status, 125)
    await done(cli, verb, 'play')
    assert.equal(
      (await cli.run('run', 'play', '--', 'sh', '-c', 'read name </etc/hostname && echo "$name"')).stdout,
      'play\n',
    )
  }
})

test('the lost layer of an image is named, not the disk, and unpacked again from its tarball', async (t) => {
  const {cli, layers, history, archive} = await givenPlay(t)
  await change(cli, 'one')
  const base = (await history()).layers[0] ?? ''
  await rm(join(layers, base), {recursive: true})

  const refused = await cli.run('run', 'play', 'true')
  assert.equal(refused.status, 125)
  assert.match(
    refused.stderr,
    /^envs: A part of the files of "play" is lost: its layer "[^"]+" is missing\.\n/,
  )
  assert.doesNotMatch(refused.stderr, /[Dd]isk/)

  await rename(archive, `${archive}.away`)
  assert.equal((await checked(cli, 10))[0]?.isRepairable, false)
  const failed = await cli.run('doctor', '--repair', 'play')
  assert.equal(failed.status, 10)
  assert.match(failed.stdout, /^FAIL {2}play: The layer of its image is missing\.$/m)

  await writeFile(archive, 'other bytes')
  const mismatch = await cli.run('doctor', '--repair', 'play')
  assert.equal(mismatch.status, 10, mismatch.stdout)
  assert.equal(existsSync(join(layers, base)), false)

  await rename(`${archive}.away`, archive)
  assert.equal((await checked(cli, 10))[0]?.isRepairable, true)
  const repaired = await cli.run('doctor', '--repair', 'play', '--json')
  assert.equal(repaired.status, 0, repaired.stdout)
  const result = JSON.parse(repaired.stdout)
  await assertDocumented('doctor --repair', result)
  assert.deepEqual(
    result.repaired.map(({kind, path}: Problem) => ({kind, path})),
    [{kind: 'image-layer', path: join(layers, base)}],
  )
  assert.deepEqual(await filesOf(cli), ['one'])
})

test('the lost layer of an image of containers is made again of its stored layers, else of the image', async (t) => {
  const cli = await environmentCli(t)
  const layers = [layer(...(await runnableMembers())), layer(put('srv/word', 'kept'))]
  const {folder} = await writeLayout(join(cli.home, 'layout'), {app: {layers}})
  await done(cli, 'create', `oci:${folder}:app`, '--name', 'play', '--identity', 'emulated', '-q')
  const {layers: stack} = JSON.parse(await readFile(join(cli.store, 'play', 'history.json'), 'utf8'))
  const lost = join(cli.data, 'layers', stack[0])
  const stored = join(cli.data, 'image-layers')
  const repaired = async () => {
    const {status, stdout} = await cli.run('doctor', '--repair', 'play', '--json')
    assert.equal(status, 0, stdout)
    const {repaired: all} = JSON.parse(stdout)
    return all.map(({kind, path}: Problem) => ({kind, path}))
  }

  await rm(lost, {recursive: true})
  assert.deepEqual(await repaired(), [{kind: 'image-layer', path: lost}])
  assert.deepEqual(await readFile(join(lost, 'tree/srv/word'), 'utf8'), 'kept')

  await rm(lost, {recursive: true})
  await rm(stored, {recursive: true})
  await rename(folder, `${folder}.away`)
  assert.equal((await cli.run('doctor', '--repair', 'play')).status, 10)
  await rename(`${folder}.away`, folder)
  assert.deepEqual(await repaired(), [{kind: 'image-layer', path: lost}])
  assert.equal(
    (await cli.run('run', 'play', '--', 'sh', '-c', 'read w </srv/word; echo "$w"')).stdout,
    'kept\n',
  )
})

test('a lost layer between is found by the failed start, and by a restore of a snapshot that needs it', async (t) => {
  const {cli, layers, history} = await givenPlay(t)
  await change(cli, 'one')
  await done(cli, 'snapshot', 'play', 'first')
  await change(cli, 'two')
  await done(cli, 'snapshot', 'play', 'second')
  await change(cli, 'three')
  const {layers: stack} = await history()
  await rm(join(layers, stack[2] ?? ''), {recursive: true})
  for (const argv of [
    ['run', 'play', 'true'],
    ['restore', 'play', 'second'],
  ]) {
    const {stderr} = await cli.run(...argv)
    assert.match(stderr, /^envs: A part of the files of "play" is lost: its layer /)
  }
  const kinds = (await checked(cli, 10))
    .map(({kind, problem}) => `${kind}: ${problem}`)
    .filter((text) => !text.includes('auto-'))
  assert.deepEqual(kinds, [
    'layer: A layer of the present state is missing.',
    'snapshot: The snapshot "second" needs a layer that is missing.',
  ])
  await done(cli, 'restore', 'play', 'first')
  assert.deepEqual(await filesOf(cli), ['one'])
})

test('records, references and foreign entries: what can be repaired is, the rest is said', async (t) => {
  const {cli, layers, history} = await givenPlay(t)
  const records = join(cli.store, 'play')
  await change(cli, 'one')
  await done(cli, 'snapshot', 'play', 'first')
  const before = await history()
  await writeFile(join(records, 'history.json'), JSON.stringify({...before, after: 'gone'}))
  await writeFile(join(layers, 'notes.txt'), '')
  assert.deepEqual(
    (await checked(cli, 10)).map(({kind, isRepairable}) => `${kind} ${isRepairable}`),
    ['reference true', 'foreign false'],
  )
  assert.equal((await cli.run('doctor', '--repair')).status, 10)
  const {after, ...repaired} = await history()
  assert.equal(after, undefined)
  assert.deepEqual({...repaired, after: 'first'}, before)
  await rm(join(layers, 'notes.txt'))

  const text = await readFile(join(records, 'env.json'), 'utf8')
  await writeFile(join(records, 'env.json'), '{')
  assert.deepEqual(
    (await checked(cli, 10, 'play')).map(({kind}) => kind),
    ['record'],
  )
  await rm(join(records, 'env.json'))
  assert.deepEqual(
    (await checked(cli, 10, 'play')).map(({kind}) => kind),
    ['record'],
  )
  await writeFile(join(records, 'env.json'), text)
  await rename(join(records, 'history.json'), join(records, 'kept'))
  assert.deepEqual(
    (await checked(cli, 10, 'play')).map(({kind}) => kind),
    ['history'],
  )
  await rename(join(records, 'kept'), join(records, 'history.json'))
  assert.deepEqual(await checked(cli, 0, 'play'), [])
  assert.equal((await cli.run('doctor', '--check', 'other')).status, 3)
})

type Problem = {
  readonly kind: string
  readonly environment: string | null
  readonly path: string
  readonly problem: string
  readonly isRepairable: boolean
}

async function checked(cli: EnvironmentCli, status: number, ...names: string[]): Promise<Problem[]> {
  const run = await cli.run('doctor', '--check', ...names, '--json')
  assert.equal(run.status, status, run.stdout + run.stderr)
  const result = JSON.parse(run.stdout)
  await assertDocumented('doctor --check', result)
  return result.problems
}

/** Writes a file in a session, and ends the environment. */
async function change(cli: EnvironmentCli, name: string): Promise<void> {
  await done(cli, 'run', 'play', '--', 'sh', '-c', `echo ${name} >/root/${name}`)
  await cli.run('stop', '-f', 'play')
}

async function filesOf(cli: EnvironmentCli): Promise<string[]> {
  const {status, stdout, stderr} = await cli.run('run', 'play', '--', 'sh', '-c', 'cd /root && echo *')
  assert.equal(status, 0, stderr)
  await cli.run('stop', '-f', 'play')
  return stdout.trim().split(' ').sort()
}

async function givenPlay(t: TestContext) {
  const cli = await environmentCli(t)
  const archive = await runnableRootfs(cli.home)
  await done(cli, 'create', archive, '--name', 'play', '--identity', 'emulated', '-q')
  return {
    cli,
    archive,
    layers: join(cli.data, 'layers'),
    history: async (): Promise<{upper: string; layers: string[]; after?: string}> =>
      JSON.parse(await readFile(join(cli.store, 'play', 'history.json'), 'utf8')),
  }
}
