import assert from 'node:assert/strict'
import {chmod, mkdir, readdir, readFile, rename, stat, symlink, truncate, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {type SandboxedCli, sandboxedCli} from '../support/cli.js'

const ANSWER = {status: 0, signal: null, stdout: 'auto\n', stderr: ''}

function cliWithOwnCode(t: TestContext): Promise<SandboxedCli> {
  return sandboxedCli(t, [], {}, {ownCode: true})
}

function ask(cli: SandboxedCli) {
  return cli.run('config', 'get', 'engine')
}

function folderOf({home}: SandboxedCli): string {
  return join(home, 'cache', 'envs', 'code')
}

/** The file of a command, whole; beside those of the libraries that the command used. */
async function keptBy(cli: SandboxedCli): Promise<string> {
  const names = await readdir(folderOf(cli))
  const [name, ...others] = names.filter((each) => !each.startsWith('library-'))
  assert.deepEqual(others, [])
  assert.match(name ?? '', /^config-[0-9a-f]{32}-v/)
  return join(folderOf(cli), name ?? '')
}

test('a command keeps what it has compiled where nobody else can write, and does the same with it', async (t) => {
  const cli = await cliWithOwnCode(t)
  assert.deepEqual(await ask(cli), ANSWER)
  const kept = await keptBy(cli)
  const before = await stat(kept)
  assert.deepEqual([before.mode & 0o777, (await stat(folderOf(cli))).mode & 0o777], [0o600, 0o700])
  for (let run = 2; run <= 4; run++) assert.deepEqual(await ask(cli), ANSWER)
  const learnt = await stat(kept)
  assert.deepEqual(await ask(cli), ANSWER)
  assert.equal((await stat(kept)).ino, learnt.ino)
})

test('what a command does another time is kept too', async (t) => {
  const cli = await cliWithOwnCode(t)
  await ask(cli)
  const {size} = await stat(await keptBy(cli))
  assert.equal((await cli.run('config', 'list')).status, 0)
  const more = (await stat(await keptBy(cli))).size
  assert.ok(more > size, `${more} bytes after ${size}`)
  await ask(cli)
  assert.ok((await stat(await keptBy(cli))).size > size)
})

for (const [what, spoil] of [
  ['that was cut off', (kept) => truncate(kept, 5000)],
  ['that is empty', (kept) => truncate(kept, 0)],
  ['that is not ours', (kept) => writeFile(kept, 'x'.repeat(100_000))],
  ['that others could have written', (kept) => chmod(kept, 0o622)],
  [
    'of another command',
    async (kept) => {
      const text = await readFile(kept, 'latin1')
      await writeFile(kept, text.replace('envs config ', 'envs create '), 'latin1')
    },
  ],
  [
    'behind a link',
    async (kept) => {
      await rename(kept, `${kept}.elsewhere`)
      await symlink(`${kept}.elsewhere`, kept)
    },
  ],
] satisfies [string, (kept: string) => Promise<void>][]) {
  test(`a file ${what} is not taken, and made anew`, async (t) => {
    const cli = await cliWithOwnCode(t)
    await ask(cli)
    const kept = await keptBy(cli)
    await spoil(kept)
    const {ino, size} = await stat(kept)
    assert.deepEqual(await ask(cli), ANSWER)
    const after = await stat(await keptBy(cli))
    assert.equal(after.mode & 0o777, 0o600)
    assert.notDeepEqual([after.ino, after.size], [ino, size])
    assert.ok(after.size > 50_000)
  })
}

test('what other builds have kept goes', async (t) => {
  const cli = await cliWithOwnCode(t)
  await mkdir(folderOf(cli), {recursive: true})
  await writeFile(join(folderOf(cli), 'list-of-another-build'), '')
  await ask(cli)
  await keptBy(cli)
})

test('a command that fails keeps nothing', async (t) => {
  const cli = await cliWithOwnCode(t)
  const failed = await cli.run('config', 'get', 'nothing')
  assert.equal(failed.status, 2)
  await assert.rejects(readdir(folderOf(cli)), {code: 'ENOENT'})
})

for (const [what, prepare, env] of [
  ['can not be written', (cache) => writeFile(cache, ''), {}],
  ['is not wanted', async () => {}, {NODE_DISABLE_COMPILE_CACHE: '1'}],
] satisfies [string, (cache: string) => Promise<void>, Record<string, string>][]) {
  test(`all goes on where a cache ${what}`, async (t) => {
    const cli = await cliWithOwnCode(t)
    await prepare(join(cli.home, 'cache'))
    assert.deepEqual(await cli.runWith({env}, 'config', 'get', 'engine'), ANSWER)
    await assert.rejects(readdir(folderOf(cli)))
  })
}
