import assert from 'node:assert/strict'
import {mkdir, readFile, symlink, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {settingNames} from '../../src/config/schema.js'
import {packageRoot} from '../../src/host/paths.js'
import {capture} from '../../src/host/process.js'
import {FRONT_DOOR, runCli, type SandboxedCli, sandboxedCli, WITH_TRASH} from '../support/cli.js'
import {declaredCommands} from '../support/commands.js'
import {environmentCli} from '../support/environment-cli.js'
import {imageCli} from '../support/image-cli.js'
import {layeredTest} from '../support/stacked-layers.js'
import {runInTerminal, type Typed} from '../support/terminal.js'
import {tinyRootfs} from '../support/tiny-rootfs.js'

/** An image, an environment `play` made from it, two snapshots of that, and what a try would have left. */
async function store(t: TestContext): Promise<SandboxedCli> {
  const {cli, envs} = await imageCli(t, (await tinyRootfs(t)).bytes)
  await envs('create', 'focal', '--name', 'play')
  for (const label of ['first', 'second']) await envs('snapshot', 'play', label)
  const ended = join(cli.data, 'environments', 'try-2')
  await mkdir(ended, {recursive: true})
  for (const name of ['env.json', 'try']) await writeFile(join(ended, name), '')
  return cli
}

/** What fits, without what it is; with a PATH in which there is no Node. */
async function answer(cli: SandboxedCli, ...words: readonly string[]): Promise<string[]> {
  const {home, env} = cli
  const programs = join(home, 'programs')
  await mkdir(programs, {recursive: true})
  for (const name of ['sed', 'sort'])
    await symlink(`/usr/bin/${name}`, join(programs, name)).catch(() => undefined)
  const run = await runCli([FRONT_DOOR, '__complete', ...words], {
    env: {...env, PATH: programs},
    home,
    options: {},
  })
  assert.deepEqual([run.status, run.stderr], [0, ''])
  return run.stdout.split('\n').flatMap((line) => (line === '' ? [] : [line.split('\t')[0] ?? '']))
}

test('without a store, commands, flags and their values are completed', async (t) => {
  const cli = await sandboxedCli(t)
  for (const [words, expected] of [
    [['ent'], ['enter']],
    [
      ['config', ''],
      ['get', 'list', 'set', 'unset'],
    ],
    [['help', 'conf'], ['config']],
    [['create', '--stor'], ['--storage']],
    [
      ['create', '--storage', ''],
      ['auto', 'overlay', 'directory'],
    ],
    [['create', '--storage=d'], ['--storage=directory']],
    [['create', 'foc'], ['focal']],
    [['create', './'], [':files']],
    [['export', 'play', '-o', ''], [':files']],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [['config', 'set', 'engine', 'p'], ['proot']],
    [['config', 'set', 'keyrings', ''], []],
    [['config', 'get', ''], settingNames()],
    [['enter', ''], []],
    [['restore', '../../etc', ''], []],
    [['../../etc/passwd', ''], []],
    [['run', 'play', ''], []],
    [['run', 'play', '--', '-'], []],
    [['restore-po'], []],
    [['nothing', 'at', 'all', ''], []],
  ] as const)
    assert.deepEqual(await answer(cli, ...words), expected, words.join(' '))
})

test('every command and each of its flags can be completed', async (t) => {
  const cli = await sandboxedCli(t)
  for (const [name, {hidden, flags, baseFlags, enableJsonFlag}] of await declaredCommands()) {
    const words = name.split(' ')
    assert.equal((await answer(cli, ...words)).includes(words.at(-1) ?? ''), !hidden, name)
    if (hidden) continue
    const declared = Object.keys({...baseFlags, ...flags}).map((flag) => `--${flag}`)
    assert.deepEqual(
      (await answer(cli, ...words, '--')).sort(),
      [...declared, ...(enableJsonFlag ? ['--json'] : []), '--help'].sort(),
      name,
    )
  }
})

layeredTest('names of environments, snapshots and images are completed', async (t) => {
  const cli = await store(t)
  for (const [words, expected] of [
    [['enter', 'p'], ['play']],
    [['login', ''], ['play']],
    [['rm', 'play', ''], ['play']],
    [['diff', 'play', '--with', ''], ['play']],
    [['keep', 'again', ''], ['try-2']],
    [
      ['restore', 'play', ''],
      ['first', 'second'],
    ],
    [['snapshots', 'play', '--remove', 's'], ['second']],
    [['snapshots', 'play', '--remove=s'], ['--remove=second']],
    [['snapshot', 'play', ''], []],
    [['image', 'rm', ''], ['ubuntu:focal/base']],
    [['create', 'ubuntu:'], ['ubuntu:focal/base']],
  ] as const)
    assert.deepEqual(
      (await answer(cli, ...words)).filter((word) => !/^(initial|image)/.test(word)),
      expected,
      words.join(' '),
    )
})

test('names of removed environments are completed, each once', async (t) => {
  const cli = await environmentCli(t, WITH_TRASH)
  const {path} = await tinyRootfs(t)
  for (const name of ['play', 'a.b-1', 'play']) {
    await cli.run('create', path, '--name', name)
    assert.equal((await cli.run('rm', name)).status, 0)
  }
  assert.deepEqual(await answer(cli, 'recover', ''), ['a.b-1', 'play'])
  assert.deepEqual(await answer(cli, 'enter', ''), [])
})

const PROMPT = 'ready> '

for (const [shell, start] of [
  ['bash', `env PS1='${PROMPT}' bash --norc --noprofile -i`],
  ['zsh', `env PS1='${PROMPT}' zsh -f -i`],
] as const) {
  layeredTest(`${shell} completes names where one types`, async (t) => {
    const cli = await store(t)
    const {HOME: home = ''} = cli.env
    await mkdir(join(home, 'bin'))
    await symlink(FRONT_DOOR, join(home, 'bin', 'envs'))
    const lines = [
      `eval "$(envs completion ${shell})"`,
      'envs resto\tpl\tfi\t',
      'envs image rm ubuntu:fo\t',
      'envs config set --quiet stor\tdirec\t',
      'exit 3',
    ]
    const typed: Typed[] = lines.map((line) => ({after: PROMPT, send: `${line}\r`}))
    const env = {...cli.env, PATH: `${join(home, 'bin')}:${cli.env['PATH']}`}
    const {status, screen} = await runInTerminal(start, {typed, env})
    assert.equal(status, 3, screen)
    const {stdout: images} = await cli.run('image', 'list', '--quiet')
    assert.equal(images, '', screen)
    const {stdout: setting} = await cli.run('config', 'get', 'storage')
    assert.equal(setting, 'directory\n', screen)
    assert.match(screen, /play is restored to first\./)
  })
}

layeredTest('fish completes names, and tells what they are', async (t) => {
  const cli = await store(t)
  const env = {...cli.env, PATH: `${join(packageRoot(), 'bin')}:${cli.env['PATH']}`}
  const script = `envs completion fish | source
    for line in 'envs enter p' 'envs restore play s' 'envs create ubuntu:f' 'envs create --storage=d'
      complete --do-complete $line
    end`
  const {stdout} = await capture(['fish', '--no-config', '--command', script], {env, cwd: cli.home})
  assert.deepEqual(stdout.split('\n'), [
    'play\tenvironment',
    'second\tsnapshot',
    'ubuntu:focal/base\timage that is kept here',
    '--storage=directory\tvalue',
    '',
  ])
})

test('a name that could steer a terminal is not offered', async (t) => {
  const cli = await sandboxedCli(t)
  const environments = join(cli.data, 'environments')
  for (const name of ['good', '\x1b]0;owned\x07', 'a b', '-flag', 'a\nb', '.partial.x']) {
    await mkdir(join(environments, name), {recursive: true})
    await writeFile(join(environments, name, 'env.json'), '')
  }
  const label = (text: string) => `   "label": ${JSON.stringify(text)},\n`
  await writeFile(
    join(environments, 'good', 'history.json'),
    ['\x1b[2J', 'fine', '$(id)'].map(label).join(''),
  )
  assert.deepEqual(await answer(cli, 'enter', ''), ['good'])
  assert.deepEqual(await answer(cli, 'restore', 'good', ''), ['fine'])
})

test('completion --json has the script in it', async (t) => {
  const cli = await sandboxedCli(t)
  const {stdout} = await cli.run('completion', 'bash', '--json')
  const script = await readFile(join(packageRoot(), 'templates/completion/envs.bash'), 'utf8')
  assert.deepEqual(JSON.parse(stdout), {shell: 'bash', script})
})
