import assert from 'node:assert/strict'
import {readFile, stat} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {digestOf} from '../../support/download.js'
import {PLAIN} from '../../support/environment-cli.js'
import {imageCli} from '../../support/image-cli.js'
import {stalledAnswer} from '../../support/slow-answers.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'
import {waitUntil} from '../../support/wait-until.js'

test('two commands at once fetch the image once', async (t) => {
  const {bytes} = await tinyRootfs(t)
  const {start, servers, archivePath, fetches} = await imageCli(t, bytes)
  const stalled = stalledAnswer(bytes, {afterBytes: 1000})
  servers.answerOnce(archivePath('20.04.5'), stalled.answer)
  const first = start('create', 'focal', '--name', 'first')
  await waitUntil('the first one asks for the archive', () => fetches().length > 0)
  const second = start('create', 'focal', '--name', 'second')
  await waitUntil('the second one has read the listing too', () => listings(servers.server.seen) === 2)
  stalled.goOn()
  const ends = await Promise.all([first.ended, second.ended])
  assert.deepEqual(
    ends.map(({status}) => status),
    [0, 0],
    ends.map(({stderr}) => stderr).join('\n'),
  )
  assert.equal(fetches().length, 1)
})

test('a download that was killed is gone on with by the next command', async (t) => {
  const {bytes} = await tinyRootfs(t, {files: 2000})
  const {start, envs, servers, archivePath, fetches, images} = await imageCli(t, bytes)
  servers.answerOnce(archivePath('20.04.5'), stalledAnswer(bytes, {afterBytes: 10_000}).answer)
  const part = join(images, `.partial.${digestOf(bytes)}`, 'archive.part')
  const pull = start('image', 'pull', 'focal')
  await waitUntil('a part of it is there', async () => (await sizeOf(part)) >= 10_000)
  pull.signalGroup('SIGKILL')
  await pull.ended
  const run = await envs('image', 'pull', 'focal')
  assert.equal(run.status, 0, run.stderr)
  assert.equal(fetches()[1]?.headers['range'], 'bytes=10000-')
  assert.deepEqual(await readFile(join(images, digestOf(bytes), 'archive')), bytes)
})

test('a create that was killed while it fetched leaves nothing that the next one minds', async (t) => {
  const {bytes} = await tinyRootfs(t, {files: 2000})
  const {start, envs, servers, archivePath, cli} = await imageCli(t, bytes, PLAIN)
  servers.answerOnce(archivePath('20.04.5'), stalledAnswer(bytes, {afterBytes: 10_000}).answer)
  const create = start('create', 'focal')
  await waitUntil('it extracts', async () => (await cli.storeEntries()).length > 0)
  create.signalGroup('SIGKILL')
  await create.ended
  const run = await envs('create', 'focal')
  assert.equal(run.status, 0, run.stderr)
  assert.deepEqual(await cli.storeEntries(), ['focal'])
})

test('a create that is interrupted while it fetches leaves a part and no environment', async (t) => {
  const {bytes} = await tinyRootfs(t, {files: 2000})
  const {start, servers, archivePath, cli, entries} = await imageCli(t, bytes, PLAIN)
  servers.answerOnce(archivePath('20.04.5'), stalledAnswer(bytes, {afterBytes: 10_000}).answer)
  const create = start('create', 'focal')
  await waitUntil('it extracts', async () => (await cli.storeEntries()).length > 0)
  create.signalLeader('SIGINT')
  assert.equal((await create.ended).status, 130)
  assert.deepEqual(await cli.storeEntries(), [])
  assert.deepEqual(await entries(), [`.partial.${digestOf(bytes)}`])
})

function listings(seen: readonly {readonly target: string | undefined}[]): number {
  return seen.filter(({target}) => target?.endsWith('SHA256SUMS.gpg')).length
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({size}) => size,
    () => 0,
  )
}
