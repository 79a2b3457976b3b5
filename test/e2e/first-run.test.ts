import assert from 'node:assert/strict'
import {readdir, readFile, stat} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {environmentCli} from '../support/environment-cli.js'
import {answerWithFile, startServer} from '../support/http-server.js'
import {startGroup} from '../support/process-group.js'
import {stalledAnswer} from '../support/slow-answers.js'
import {tinyRootfs} from '../support/tiny-rootfs.js'
import {waitUntil} from '../support/wait-until.js'

test('envs alone says what to type first, until there is an environment', async (t) => {
  const cli = await environmentCli(t)
  const first = await cli.run()
  assert.equal(first.status, 0)
  assert.match(first.stdout, /\nThere is no environment yet. To begin:\n {2}envs try hello -- hello /)
  assert.doesNotMatch((await cli.run('--help')).stdout, /To begin/)
  const {path} = await tinyRootfs(t)
  await cli.run('create', path, '--quiet')
  assert.doesNotMatch((await cli.run()).stdout, /To begin/)
})

test('create says where it went and what to type next', async (t) => {
  const cli = await environmentCli(t)
  const {path} = await tinyRootfs(t)
  const {stdout, stderr} = await cli.run('create', path, '--name', 'play')
  const {storage}: {storage: string} = JSON.parse((await cli.run('show', 'play', '--json')).stdout)
  if (storage === 'overlay') assert.ok(stderr.includes(`\nKept below ${cli.data}.\n`), stderr)
  else assert.equal(stdout, `Created play in ${cli.root('play')}\n`)
  assert.match(stderr, /\nEnter it: envs enter play\n$/)
})

test('create, interrupted while it downloads, says what is kept, and goes on from there', async (t) => {
  const cli = await environmentCli(t)
  const body = await readFile((await tinyRootfs(t, {files: 3000})).path)
  const half = Math.floor(body.length / 2)
  const {answer} = stalledAnswer(body, {afterBytes: half})
  const server = await startServer(t, (request, response, hit) => {
    if (hit === 0) answer(request, response)
    else answerWithFile(request, response, {body, headers: {etag: '"stalled"'}})
  })
  const argv = ['create', `${server.origin}tiny.tar`, '--name', 'play', '--quiet']
  const run = startGroup(cli, argv)
  const parts = join(cli.env['XDG_CACHE_HOME'] ?? '', 'envs/downloads')
  await waitUntil('half of it is here', () => isAsLarge(parts, half))
  run.signalGroup('SIGINT')
  const {status, stderr} = await run.ended
  assert.deepEqual(
    [status, stderr],
    [
      130,
      'envs: Interrupted by SIGINT.\n  The downloaded part is kept: the same command continues from there.\n',
    ],
  )
  assert.equal((await cli.run(...argv)).status, 0)
  assert.equal(server.seen.at(-1)?.headers['range'], `bytes=${half}-`)
})

async function isAsLarge(folder: string, bytes: number): Promise<boolean> {
  const names = await readdir(folder).catch(() => [])
  const sizes = await Promise.all(
    names.map((name) =>
      // What is written beside the part goes by a rename.
      stat(join(folder, name)).then(
        ({size}) => size,
        () => 0,
      ),
    ),
  )
  return sizes.includes(bytes)
}
