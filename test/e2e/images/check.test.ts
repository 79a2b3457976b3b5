import assert from 'node:assert/strict'
import {chmod, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {type ImageCli, imageCli} from '../../support/image-cli.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'

const HOUR_MS = 3_600_000

/** An environment of focal was made, and nobody was asked since. */
async function madeToday(t: TestContext): Promise<ImageCli & {answers: string; asked: () => number}> {
  const it = await imageCli(t, (await tinyRootfs(t)).bytes, {ENVS_IMAGE_CHECK: 'daily'})
  const made = await it.envs('create', 'focal')
  assert.equal(made.status, 0, made.stderr)
  const before = it.servers.server.seen.length
  assert.ok(before > 0)
  const answers = join(it.cli.home, 'cache/envs/answers.json')
  return {...it, answers, asked: () => it.servers.server.seen.length - before}
}

test('who was asked today is not asked again, and the same image is used', async (t) => {
  const {envs, publish, asked} = await madeToday(t)
  await publish('20.04.6', (await tinyRootfs(t)).bytes)
  const made = await envs('create', 'focal', '--name', 'second', '--json')
  assert.equal(made.status, 0, made.stderr)
  const {image} = JSON.parse(made.stdout)
  assert.deepEqual([image.name, image.version, image.trust], ['ubuntu:focal/base', '20.04.5', 'signed'])
  assert.equal(asked(), 0)
  // Another word for the same.
  await envs('create', 'ubuntu:20.04', '--name', 'third')
  assert.equal(asked(), 0)
})

test('image pull asks, and what it got is the image of today', async (t) => {
  const {envs, publish, asked} = await madeToday(t)
  await publish('20.04.6', (await tinyRootfs(t, {files: 1})).bytes)
  const pulled = await envs('image', 'pull', 'focal', '--json')
  assert.equal(JSON.parse(pulled.stdout).version, '20.04.6')
  const askedByPull = asked()
  assert.ok(askedByPull > 0)
  const made = await envs('create', 'focal', '--name', 'second', '--json')
  assert.equal(JSON.parse(made.stdout).image.version, '20.04.6')
  assert.equal(asked(), askedByPull)
})

for (const [when, change, check] of [
  ['a day later', ageBy(25 * HOUR_MS), 'daily'],
  ['after the clock was set back', ageBy(-25 * HOUR_MS), 'daily'],
  ['with imageCheck=always', async () => {}, 'always'],
  ['where others could have written the answer', ({answers}) => chmod(answers, 0o666), 'daily'],
  ['with keys that have changed', ({servers}) => writeFile(servers.keyring, '\n', {flag: 'a'}), 'daily'],
] as const satisfies readonly (readonly [
  string,
  (it: Awaited<ReturnType<typeof madeToday>>) => Promise<void>,
  string,
])[]) {
  test(`the publisher is asked ${when}`, async (t) => {
    const it = await madeToday(t)
    await change(it)
    const env = {...it.servers.variables, ENVS_IMAGE_CHECK: check}
    const made = await it.cli.runWith({env}, 'create', 'focal', '--name', 'second')
    assert.equal(made.status, 0, made.stderr)
    assert.ok(it.asked() > 0)
  })
}

test('an image that was removed is fetched anew', async (t) => {
  const {envs, fetches} = await madeToday(t)
  assert.equal((await envs('rm', 'focal')).status, 0)
  assert.equal((await envs('image', 'rm', 'focal')).status, 0)
  const made = await envs('create', 'focal')
  assert.equal(made.status, 0, made.stderr)
  assert.equal(fetches().length, 2)
})

test('a digest that the image of today has not is asked for', async (t) => {
  const {envs, asked} = await madeToday(t)
  const made = await envs('create', 'focal', '--name', 'second', '--sha256', 'a'.repeat(64))
  assert.equal(made.status, 6)
  assert.ok(asked() > 0)
})

function ageBy(ageMs: number) {
  return async ({answers}: {answers: string}): Promise<void> => {
    const memory = JSON.parse(await readFile(answers, 'utf8'))
    for (const {value} of memory.entries) value.askedAtMs -= ageMs
    await writeFile(answers, JSON.stringify(memory))
  }
}
