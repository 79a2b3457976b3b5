import assert from 'node:assert/strict'
import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {plainCli} from '../../support/environment-cli.js'
import {tarArchive, tarMember} from '../../support/tar-archive.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'

/** Command lines that go wrong where the environment `tiny` is there, `broken` is damaged, and nothing runs. */
const FAILURES: readonly {argv: readonly string[]; status: number}[] = [
  {argv: ['create', './nothing.tar'], status: 3},
  {argv: ['create', '/etc/passwd', '-n', 'x'], status: 6},
  {argv: ['create', '/etc/passwd', '-n', 'tiny'], status: 4},
  {argv: ['create', '/etc', '-n', 'x'], status: 2},
  {argv: ['create', './a.tar', '--sha256', '12'], status: 2},
  {argv: ['create', './a.tar', '--identity', 'real'], status: 2},
  {argv: ['create', './a.tar', './b.tar'], status: 2},
  {argv: ['create', 'http://127.0.0.1:1/a.tar'], status: 5},
  {argv: ['create', 'http://[/a.tar'], status: 2},
  {argv: ['create', './nothing\n.tar', '-n', 'x'], status: 3},
  {argv: ['show', 'nothing'], status: 3},
  {argv: ['show', 'broken'], status: 8},
  {argv: ['show', 'No Name'], status: 2},
  {argv: ['show', '\x1b[31m'], status: 2},
  {argv: ['show'], status: 2},
  {argv: ['path', 'broken'], status: 8},
  {argv: ['rm'], status: 2},
  {argv: ['rm', 'nothing'], status: 3},
  {argv: ['rm', '--all'], status: 2},
  {argv: ['rename', 'tiny'], status: 2},
  {argv: ['rename', 'tiny', 'broken'], status: 8},
  {argv: ['rename', 'broken', 'x'], status: 8},
  {argv: ['ps', 'nothing'], status: 3},
  {argv: ['stop', 'nothing'], status: 3},
  {argv: ['run'], status: 125},
  {argv: ['run', 'tiny'], status: 125},
  {argv: ['run', 'nothing', 'true'], status: 125},
  {argv: ['run', 'broken', 'true'], status: 125},
  {argv: ['run', '-v', 'x:y:z:a', 'tiny', 'true'], status: 125},
  {argv: ['run', '-e', '1=2', 'tiny', 'true'], status: 125},
  {argv: ['run', '-w', 'relative', 'tiny', 'true'], status: 125},
  {argv: ['enter', 'nothing'], status: 125},
  {argv: ['enter', '--nope'], status: 125},
]

test('what a user can do wrong is told in a few lines on standard error, and never as a bug', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  for (const name of ['tiny', 'broken']) await cli.run('create', path, '--name', name, '--quiet')
  await writeFile(join(cli.store, 'broken', 'env.json'), '[]')
  for (const {argv, status} of FAILURES) {
    const run = await cli.run(...argv)
    const what = `envs ${argv.join(' ')}: ${run.stderr}`
    assert.deepEqual([run.status, run.stdout], [status, ''], what)
    const lines = run.stderr.split('\n').filter((line) => !/^[❯✔✖] /.test(line))
    assert.match(lines[0] ?? '', /^envs: \S/, what)
    assert.ok(lines.length <= 5, what)
    assert.doesNotMatch(run.stderr, /\n {4}at |ENVS_|\bbug\b|undefined|\[object/, what)
    assert.doesNotMatch(run.stderr, /\bsudo\b/, what)
    assert.ok(!run.stderr.includes('\x1b'), what)
  }
})

test('the same as JSON: one object on standard output, with the same status', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  for (const name of ['tiny', 'broken']) await cli.run('create', path, '--name', name, '--quiet')
  await writeFile(join(cli.store, 'broken', 'env.json'), '[]')
  for (const {argv, status} of FAILURES) {
    const [command = '', ...rest] = argv
    const run = await cli.run(command, '--json', ...rest)
    const what = `envs ${argv.join(' ')}: ${run.stdout}${run.stderr}`
    assert.deepEqual([run.status, run.stderr], [status, ''], what)
    const failure = JSON.parse(run.stdout)
    assert.deepEqual(Object.keys(failure), ['error'], what)
    assert.deepEqual(Object.keys(failure.error), ['code', 'message', 'suggestions'], what)
    assert.match(failure.error.code, /^ENVS_[A-Z_]+$/, what)
    assert.notEqual(failure.error.code, 'ENVS_BUG', what)
  }
})

test('a name from an archive can not steer the terminal', async (t) => {
  const cli = await plainCli(t)
  const archive = tarArchive(tarMember({name: './\x1b]0;owned\x07/../../x', data: 'x'}))
  const run = await cli.runWith({input: archive}, 'create', '-', '-n', 'play')
  assert.equal(run.status, 6)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  assert.doesNotMatch(run.stdout + run.stderr, /[\x07\x1b]/)
  assert.match(run.stderr, /\\e\]0;owned/)
})

test('a damaged setting is told only where it is needed', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  const env = {ENVS_IDENTITY: 'real'}
  const run = await cli.runWith({env}, 'create', path)
  assert.deepEqual(
    [run.status, run.stderr.split('\n')[0]],
    [2, 'envs: ENVS_IDENTITY cannot be "real": it must be one of: auto, mapped, emulated.'],
  )
  assert.equal((await cli.runWith({env}, 'list')).status, 0)
})

test('--quiet leaves results and failures', async (t) => {
  const cli = await plainCli(t)
  const {path, sha256} = await tinyRootfs(t)
  const created = await cli.run('create', path, '--sha256', sha256, '-q')
  assert.deepEqual([created.stdout, created.stderr], [`Created tiny in ${cli.root('tiny')}\n`, ''])
  assert.equal((await cli.run('rename', 'tiny', 'web', '-q')).stderr, '')
  assert.equal((await cli.run('stop', 'web', '-q')).stderr, '')
  assert.equal((await cli.run('rm', 'web', '-q')).stderr, '')
  assert.notEqual((await cli.run('rm', 'web', '-q')).stderr, '')
})

test('--verbose adds what was behind a failure', async (t) => {
  const cli = await plainCli(t)
  const run = await cli.run('create', './nothing.tar', '--verbose')
  assert.match(run.stderr, /^ {2}caused by: ENOENT: /m)
})
