import assert from 'node:assert/strict'
import {chmod, mkdir, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {EnvsError} from '../../../src/errors.js'
import {tableOf, usualNames} from '../../../src/project/file/extend.js'
import {findProjectFile} from '../../../src/project/file/find.js'
import {parseProject, readProjectFile} from '../../../src/project/file/read.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

const uid = process.getuid?.() ?? 0
const HEAD = 'version = 1\n'
const asFile = (text: string) => ({path: 'envs.toml', text, tables: parseProject(text, 'envs.toml')})

test('a file gives its tables, with the defaults of its lists', () => {
  const {env} = parseProject(
    `${HEAD}[env.dev]\nimage = "noble"\n[[env.dev.steps]]\nrun = """\nmake\n"""\n[[env.dev.files]]\ntext = "x"\nto = "/etc/x"\n`,
    'envs.toml',
  )
  assert.deepEqual(env['dev']?.steps, [
    {run: 'make\n', user: 'root', env: {}, needs: [], at: '/build', network: false, cache: []},
  ])
  assert.deepEqual(env['dev']?.files, [{text: 'x', to: '/etc/x', owner: 'root:root'}])
})

for (const [what, text, message] of [
  [
    'no version',
    '[env.dev]\nimage = "noble"\n',
    'envs.toml:1:1: the key "version" is missing; write: version = 1.',
  ],
  [
    'a newer version',
    'version = 2\n',
    'envs.toml:1:1: a newer envs reads version 2; this one reads version 1.',
  ],
  ['a text as the version', 'version = "1"\n', 'envs.toml:1:1: "version" must be 1.'],
  [
    'a misspelt key',
    `${HEAD}[env.dev]\n  imagee = "noble"\n`,
    'envs.toml:3:3: there is no key "imagee" here; did you mean "image".',
  ],
  ['a key at the top', `${HEAD}images = []\n`, 'envs.toml:2:1: there is no key "images" here.'],
  [
    'a misspelt key of the second step',
    `${HEAD}[env.dev]\nimage = "noble"\n[[env.dev.steps]]\nrun = """\nrum = 1\n"""\n[[env.dev.steps]]\nrum = "make"\n`,
    'envs.toml:9:1: there is no key "rum" here; did you mean "run".',
  ],
  [
    'a number for a text',
    `${HEAD}[env.dev]\nimage = 22.04\n`,
    'envs.toml:3:1: "env.dev.image" must be a text in quotes.',
  ],
  [
    'a wrong package',
    `${HEAD}[env.dev]\nimage = "noble"\npackages = ["gcc", "Not One"]\n`,
    'envs.toml:4:1: "env.dev.packages.#2" must be a package, as name, name:architecture or name=version.',
  ],
  [
    'a file with two sources',
    `${HEAD}[env.dev]\nimage = "noble"\n[[env.dev.files]]\nfrom = "a"\ntext = "b"\nto = "/c"\n`,
    'envs.toml:4:1: "env.dev.files.#1" must be a table with either "from" or "text".',
  ],
  [
    'a path out of the project',
    `${HEAD}[env.dev]\nimage = "noble"\n[[env.dev.files]]\nfrom = "a/../../b"\nto = "/c"\n`,
    'envs.toml:5:1: "env.dev.files.#1.from" must be a path below the folder of the file, without "..".',
  ],
  ['half a file', `${HEAD}[env.dev\n`, /^envs\.toml:2:\d+: it is not TOML: /],
  ['one key twice', `${HEAD}version = 1\n`, /^envs\.toml:2:\d+: it is not TOML: /],
] as const) {
  test(`a file with ${what} is refused with line and column`, () => {
    assert.throws(
      () => parseProject(text, 'envs.toml'),
      (error) => {
        assert.ok(error instanceof EnvsError)
        if (typeof message === 'string') assert.equal(error.message, message)
        else assert.match(error.message, message)
        return error.code === 'ENVS_PROJECT_FILE' && error.exitCode === 2
      },
    )
  })
}

test('a table joins those that it extends key by key, and replaces their lists', () => {
  const file = asFile(
    `${HEAD}[env.dev]\nimage = "noble"\npackages = ["gcc"]\nenv = {A = "1", B = "2"}\n[env.old]\nextends = "dev"\nimage = "focal"\nenv = {B = "3"}\npackages = ["make"]\n`,
  )
  assert.deepEqual(tableOf(file, 'old'), {image: 'focal', packages: ['make'], env: {A: '1', B: '3'}})
})

for (const [what, text, name, message] of [
  ['itself', '[env.a]\nextends = "a"\n', 'a', /^envs\.toml:3:1: .*one step only\.$/],
  [
    'a circle',
    '[env.a]\nextends = "b"\n[env.b]\nextends = "a"\n',
    'a',
    /^envs\.toml:3:1: .*one step only\.$/,
  ],
  ['what is not there', '[env.a]\nextends = "b"\n', 'a', /^envs\.toml:3:1: .* the file has not\.$/],
  [
    'nothing, and names no image',
    '[env.a]\npackages = []\n',
    'a',
    /^envs\.toml:2:1: "env\.a" names no image/,
  ],
] as const) {
  test(`a table that extends ${what} is refused`, () => {
    assert.throws(() => tableOf(asFile(HEAD + text), name), {code: 'ENVS_PROJECT_FILE', message})
  })
}

test('a name that the file has not is answered with those it has', () => {
  assert.throws(() => tableOf(asFile(`${HEAD}[env.dev]\nimage = "noble"\n`), 'deb'), {
    code: 'ENVS_NOT_IN_PROJECT',
    suggestions: ['Did you mean dev?', 'Its environments: dev'],
  })
})

test('a command without a name means the default, else all', () => {
  const two = '[env.a]\nimage = "noble"\n[env.b]\nimage = "focal"\n'
  assert.deepEqual(usualNames(asFile(HEAD + two)), ['a', 'b'])
  assert.deepEqual(usualNames(asFile(`${HEAD}default = "b"\n${two}`)), ['b'])
  assert.throws(() => usualNames(asFile(`${HEAD}default = "c"\n${two}`)), {code: 'ENVS_PROJECT_FILE'})
})

test('the nearest file above is found, and none above the home folder', async (t) => {
  const home = await temporaryFolder(t)
  const inner = join(home, 'work', 'project', 'src')
  await mkdir(inner, {recursive: true})
  await writeFile(join(home, 'work', 'project', 'envs.toml'), HEAD)
  assert.equal(await findProjectFile(inner, {uid, home}), join(home, 'work', 'project', 'envs.toml'))
  await assert.rejects(findProjectFile(inner, {uid, home: join(home, 'work', 'project', 'src')}), {
    code: 'ENVS_NO_PROJECT',
  })
  await assert.rejects(findProjectFile(inner, {uid: uid + 1, home}), {code: 'ENVS_NO_PROJECT'})
})

test('a file that others could have written is refused', async (t) => {
  const path = join(await temporaryFolder(t), 'envs.toml')
  await writeFile(path, HEAD)
  assert.deepEqual((await readProjectFile(path, {uid})).tables, {version: 1, env: {}})
  await chmod(path, 0o666)
  await assert.rejects(readProjectFile(path, {uid}), {code: 'ENVS_PROJECT_FOREIGN'})
})

test('a file that is no text, or no file, is refused', async (t) => {
  const folder = await temporaryFolder(t)
  const path = join(folder, 'envs.toml')
  await writeFile(path, Buffer.from([0x76, 0xff, 0xfe]))
  await assert.rejects(readProjectFile(path, {uid}), {message: `${path}: it is not UTF-8.`})
  await assert.rejects(readProjectFile(folder, {uid}), {message: `${folder}: it is not a regular file.`})
  await assert.rejects(readProjectFile(join(folder, 'other'), {uid}), {code: 'ENVS_PROJECT_FILE'})
})
