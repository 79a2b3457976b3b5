import assert from 'node:assert/strict'
import {chmod, mkdir, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {parseShim, planShim, shimScript} from '../../../src/environments/shims.js'
import {isShim} from '../../../src/host/host.js'
import {capture} from '../../../src/host/process.js'
import {parseEnvironmentName} from '../../../src/store/environments.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

const PLAY = parseEnvironmentName('play')
const PLACE = {front: '/x/bin/envs', nodeFolder: '/y/bin', volumes: [], environment: {}} as const

for (const [what, command, name] of [
  ['a name', 'jq', 'jq'],
  ['a name with marks in it', 'g++-12@x.y', 'g++-12@x.y'],
  ['a path', '/opt/a b/bin/tool', 'tool'],
] as const) {
  test(`a shim stands for ${what}`, () => {
    assert.deepEqual(planShim(PLAY, command), {name, environment: 'play', command})
  })
}

for (const [what, command] of [
  ['nothing', ''],
  ['a relative path', 'a/b'],
  ['a path that goes up', '../jq'],
  ['a folder', '/usr/bin/'],
  ['the root', '/'],
  ['a name that is hidden', '.x'],
  ['an option', '--force'],
  ['two lines', 'a\nb'],
  ['what a terminal would act on', '/x\x1b[2J/y'],
  ['a name with a space', 'a b'],
  ['a name that is too long', 'x'.repeat(129)],
] as const) {
  test(`no shim stands for ${what}`, () => {
    assert.throws(() => planShim(PLAY, command), {code: 'ENVS_USAGE'})
  })
}

for (const command of ['jq', '/opt/a b/$(id)/jq']) {
  test(`the script says again what it stands for: ${command}`, () => {
    const shim = planShim(PLAY, command)
    assert.deepEqual(parseShim('jq', shimScript(shim, PLACE)), shim)
  })
}

for (const [what, text] of [
  ['another script', '#!/bin/sh\n# a jq\n'],
  ['a name that can not be', '#!/bin/sh\n# envs-shim ../x jq\n'],
  ['a script without a command', '#!/bin/sh\n# envs-shim play\n'],
  ['a command that would steer a terminal', '#!/bin/sh\n# envs-shim play \x1b[2J\n'],
  ['nothing', ''],
] as const) {
  test(`no shim is read from ${what}`, () => {
    assert.equal(parseShim('jq', text), undefined)
  })
}

test('whatever is in a path, the shell reads it back, and the arguments as they are', async (t) => {
  const folder = join(await temporaryFolder(t), `it's "a" $HOME \`id\` \\`)
  await mkdir(folder)
  const front = join(folder, 'envs')
  await writeFile(
    front,
    '#!/bin/sh\n[ -z "$XDG_DATA_HOME" ] && printf "<%s>" "$ENVS_HOME" "$PATH" "$@"\nexit 42\n',
  )
  await chmod(front, 0o755)
  const command = `/opt/it's $x/\`y\`/run`
  const place = {front, nodeFolder: folder, volumes: [], environment: {ENVS_HOME: folder, XDG_DATA_HOME: ''}}
  const script = join(folder, 'run')
  await writeFile(script, shimScript(planShim(PLAY, command), place))
  const {status, stdout, stderr} = await capture(['/bin/sh', script, '', "it's", '$a'], {
    env: {PATH: '/bin', XDG_DATA_HOME: '/of/another'},
  })
  const words = [folder, `/bin:${folder}`, 'run', 'play', '--', command, '', "it's", '$a']
  assert.deepEqual([status, stdout, stderr], [42, words.map((word) => `<${word}>`).join(''), ''])
  assert.equal(isShim(script), true)
  assert.equal(isShim(front), false)
})

for (const [what, below, workdir] of [
  ['in a folder it sees', `it's/a b`, ['--workdir', `/in the/guest's/a b`]],
  ['in the folder that is shared', `it's`, ['--workdir', `/in the/guest's`]],
  ['beside it', `it's not`, []],
] as const) {
  test(`a shim works where it is called, if that is ${what}`, async (t) => {
    const folder = await temporaryFolder(t)
    const front = join(folder, 'envs')
    await writeFile(front, '#!/bin/sh\nprintf "%s\\n" "$@"\n')
    await chmod(front, 0o755)
    const cwd = join(folder, below)
    await mkdir(cwd, {recursive: true})
    const source = join(folder, `it's`)
    const target = `/in the/guest's`
    const script = join(folder, 'make')
    const place = {...PLACE, front, volumes: [{source, target, access: 'ro'} as const]}
    await writeFile(script, shimScript(planShim(PLAY, 'make'), place))
    const {stdout} = await capture(['/bin/sh', script, 'all'], {cwd, env: {PWD: cwd}})
    const words = ['run', '--volume', `${source}:${target}:ro`, ...workdir, 'play', '--', 'make', 'all']
    assert.equal(stdout, words.map((word) => `${word}\n`).join(''))
  })
}

test('a shim that envs itself calls refuses', async (t) => {
  const folder = await temporaryFolder(t)
  const script = join(folder, 'node')
  await writeFile(script, shimScript(planShim(PLAY, 'node'), {...PLACE, front: '/bin/true'}))
  const {status, stderr} = await capture(['/bin/sh', script], {env: {ENVS_ON_HOST: '1'}})
  assert.equal(status, 125)
  assert.equal(stderr, `envs: ${script} was called by envs, which needs the program of the host.\n`)
})
